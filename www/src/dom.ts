// Builds elements. Text only ever becomes text nodes, so nothing a member sends is read as markup.

type Attribute = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | undefined;

/** An element with attributes, listeners (`onclick: fn`) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

/** Sets an element's text if it is another, so that screen readers and layout are left in peace. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Line drawings, 24 by 24, drawn in the text's color. */
const ICONS = {
  close: ['M6 6 18 18', 'M18 6 6 18'],
  link: [
    'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2',
    'M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2',
  ],
  send: ['M5 12h13', 'M12 6l6 6-6 6'],
  whisper: ['M5 5h14v10h-8l-4 4v-4H5z'],
  pen: ['M5 19l1-4L16.5 4.5l3 3L9 18z', 'M14.5 6.5l3 3'],
  bin: ['M5 7h14', 'M10 7V4.5h4V7', 'M7 7l1 12.5h8L17 7', 'M10.5 10.5v5.5', 'M13.5 10.5v5.5'],
  plus: ['M12 5v14', 'M5 12h14'],
  person: ['M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z', 'M5 20a7 7 0 0 1 14 0'],
  alert: ['M12 4 3 19h18z', 'M12 10v4', 'M12 16.6v.2'],
} as const;

export type Icon = keyof typeof ICONS;

export function icon(name: Icon): SVGSVGElement {
  const svg = drawing(24, ...ICONS[name].map((d) => ['path', { d }] as const));
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  return svg;
}

type Shape = readonly [tag: string, attributes: Readonly<Record<string, string | number>>];

/** A drawing that is as wide as high, in units of its own. */
export function drawing(size: number, ...shapes: Shape[]): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, String(value));
    svg.append(shape);
  }
  return svg;
}

/** A field under its label. */
export function field(label: string, input: HTMLElement, hint?: string): HTMLElement {
  const box = el('label', { class: 'field' }, el('span', { class: 'label' }, label), input);
  if (hint !== undefined) box.append(el('span', { class: 'hint' }, hint));
  return box;
}
