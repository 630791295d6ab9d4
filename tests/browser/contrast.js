// Every text that is shown, with the contrast of its colour to what is behind it (WCAG 2, 1.4.3), where that
// is too little. Colours are read from a pixel, whatever form the browser gives them in.

const LEAST = 4.5;
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const context = canvas.getContext("2d", { willReadFrequently: true });

const over = (colours) => {
  context.clearRect(0, 0, 1, 1);
  for (const colour of colours) {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
};

const luminance = (pixel) => {
  const [r, g, b] = pixel.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const backgrounds = (element) => {
  const found = [];
  for (let at = element; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor);
  return ["white", ...found];
};

const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, words = walker.currentNode.data.trim();
  if (!words || element.closest(".unseen, noscript") || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
  const style = getComputedStyle(element), behind = backgrounds(element);
  const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
  const [light, dark] = [luminance(over([...behind, colour])), luminance(over(behind))].sort((a, b) => b - a);
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < LEAST) faint.push(`${words.slice(0, 40)}: ${contrast.toFixed(2)}`);
}
return faint;
