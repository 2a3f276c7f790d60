/** What is drawn on: shapes and text of one SVG, collected from top to bottom. */

/** Small on purpose: at 400 pixels across, text is still ten pixels high. */
export const WIDTH = 480;
export const MARGIN = 14;
export const INNER = WIDTH - 2 * MARGIN;

/** Viewers without custom properties of CSS, such as librsvg, leave out `var()` and keep the colour before it. */
const STYLE = `
.p{--bg:#fff;--ink:#1a1a1a;--soft:#666;--line:#bbb;background:var(--bg);font:12px system-ui,sans-serif}
@media(prefers-color-scheme:dark){.p{--bg:#16181c;--ink:#eee;--soft:#aaa;--line:#555}}
@media print{.p{--bg:#fff;--ink:#000;--soft:#444;--line:#999}}
.p text{fill:#1a1a1a;fill:var(--ink)}.p .s{fill:#666;fill:var(--soft);font-size:11px}.p .h{font-weight:600;font-size:14px}.p .in{fill:#fff;font-size:11px;font-weight:600}
.p .on{fill:#000}.p .l{stroke:#bbb;stroke:var(--line);fill:none}.p .i{stroke:#1a1a1a;stroke:var(--ink);fill:none}.p .bg{fill:#fff;fill:var(--bg)}`;

export class Canvas {
  y = MARGIN;
  private readonly parts: string[] = [];

  text(x: number, text: string, kind = '', anchor: 'start' | 'end' | 'middle' = 'start', y = this.y): void {
    this.parts.push(`<text x="${n(x)}" y="${n(y)}" class="${kind}" text-anchor="${anchor}">${escapeXml(text)}</text>`);
  }

  rect(x: number, y: number, width: number, height: number, fill: string, title = ''): void {
    const tip = title === '' ? '' : `<title>${escapeXml(title)}</title>`;
    this.parts.push(
      `<rect x="${n(x)}" y="${n(y)}" width="${n(Math.max(0, width))}" height="${n(height)}" fill="${fill}">${tip}</rect>`,
    );
  }

  path(d: string, kind: string): void {
    this.parts.push(`<path d="${d}" class="${kind}"/>`);
  }

  section(title: string): void {
    this.y += 26;
    this.text(MARGIN, title, 'h');
    this.y += 8;
  }

  toSvg(title: string): string {
    const height = Math.ceil(this.y + MARGIN);
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" class="p" role="img" aria-label="${escapeXml(title)}">` +
      `<title>${escapeXml(title)}</title><style>${STYLE}</style>` +
      `<defs><pattern id="stream" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="1.6" height="4" fill="#fff" opacity=".75"/></pattern>` +
      `<pattern id="quantized" width="4" height="4" patternUnits="userSpaceOnUse"><circle cx="2" cy="2" r=".9" fill="#fff"/></pattern>` +
      `<pattern id="reserve" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="5" fill="#888"/></pattern></defs>` +
      `<rect width="${WIDTH}" height="${height}" class="bg"/>${this.parts.join('')}</svg>\n`
    );
  }
}

/** Two decimals are plenty, and keep the same picture the same bytes. */
export function n(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
