// What is wrong with the page as it stands: returns sentences, none if all is well.
() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (element) => `<${element.localName}> ${element.textContent.trim().slice(0, 40)}`;

  const isShown = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && width > 1 && height > 1;
  };

  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) {
    const widest = all("body *").filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5);
    faults.push(`it scrolls sideways, ${wide} in ${innerWidth}: ${widest.slice(0, 3).map(name)}`);
  }

  if (!document.documentElement.lang) faults.push("it has no language");
  if (!document.title.trim()) faults.push("it has no title");
  const headings = all("h1, h2, h3, h4, h5, h6").filter(isShown);
  const first = headings.filter((heading) => heading.localName === "h1");
  if (first.length !== 1) faults.push(`it has ${first.length} h1`);
  const levels = headings.map((heading) => Number(heading.localName[1]));
  if (levels.some((level, index) => level > (levels[index - 1] ?? 0) + 1)) faults.push(`its headings skip: ${levels}`);

  for (const field of all("input:not([type=hidden]), select, textarea")) {
    if (field.labels.length === 0 && !field.ariaLabel) faults.push(`nothing labels ${field.name}`);
  }
  for (const image of all("img:not([alt])")) faults.push(`${image.src} has no alt`);
  const ids = all("[id]").map((element) => element.id);
  for (const id of ids.filter((each, index) => ids.indexOf(each) !== index)) faults.push(`two have the id ${id}`);
  for (const element of all("[aria-labelledby], [aria-describedby]")) {
    const told = `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`;
    for (const id of told.trim().split(/\s+/)) if (!ids.includes(id)) faults.push(`nothing has the id ${id}`);
  }

  // https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const over = (above, below) => {
    const alpha = above[3] ?? 1;
    return [0, 1, 2].map((index) => above[index] * alpha + below[index] * (1 - alpha));
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  const ground = (element) => {
    if (element === null) return canvas;
    const own = channels(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? ground(element.parentElement) : over(own, ground(element.parentElement));
  };
  const hasWords = (element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
  for (const element of all("body *").filter((each) => hasWords(each) && isShown(each))) {
    const style = getComputedStyle(element);
    const behind = ground(element);
    const [low, high] = [luminance(behind), luminance(over(channels(style.color), behind))].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) faults.push(`${name(element)} has a contrast of ${ratio.toFixed(2)}`);
  }
  return faults;
}
