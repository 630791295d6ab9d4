"""``python -m mirror_airflow.write_passwords``: the passwords of Airflow's users, from the environment.

Airflow's simple auth manager reads them from a file, and would make some up and print them to its log. Here
the password of the user ``viewer`` comes from ``VIEWER_PASSWORD``; the file is written where
``[core] simple_auth_manager_passwords_file`` has it, readable by its owner alone.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_USERS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
_FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
_SHORTEST = 8


def passwords(environ: Mapping[str, str]) -> dict[str, str]:
    """By user. Raises ValueError that names the variable that is missing or too short."""
    users = [entry.partition(":")[0].strip() for entry in environ.get(_USERS, "").split(",") if entry.strip()]
    if not users:
        raise ValueError(f"{_USERS} is empty; name users and their roles in it: admin:admin,viewer:viewer")
    found = {}
    for user in users:
        variable = f"{user.upper().replace('-', '_').replace('.', '_')}_PASSWORD"
        password = environ.get(variable, "")
        if len(password) < _SHORTEST:
            raise ValueError(
                f"{variable} is missing or shorter than {_SHORTEST} characters: set the password of {user}"
            )
        found[user] = password
    return found


def main(environ: Mapping[str, str] = os.environ) -> int:
    try:
        content = passwords(environ)
        path = Path(environ[_FILE])
    except ValueError as error:
        sys.stderr.write(f"write_passwords: {error}\n")
        return 1
    except KeyError:
        sys.stderr.write(f"write_passwords: {_FILE} does not say where to\n")
        return 1
    # Removed first: the mode is given to new files alone.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
