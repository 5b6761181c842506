// How others read documents: V8 reads JSON, saxes XML, parse5 (the WHATWG algorithm of browsers) pages, csv-parse and
// Papa Parse tables, URLSearchParams (the URL Standard) forms. A line of JSON a document: {"format", "body" in base64}; one comes back: {"read"} or {"refused"}.
import readline from 'node:readline';
import { parse as csvParse } from 'csv-parse/sync';
import Papa from 'papaparse';
import { parse as parseHtml } from 'parse5';
import { SaxesParser } from 'saxes';

const text = (body) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);

// An element is [name, attributes, children], a name {uri}local, a child an element or a text; texts are joined.
const put = (element, child) => {
  const children = element[2];
  if (typeof child === 'string' && typeof children.at(-1) === 'string') children[children.length - 1] += child;
  else if (child !== '') children.push(child);
};

const named = ({ uri, local }) => (uri ? `{${uri}}${local}` : local);

const readXml = (body) => {
  const parser = new SaxesParser({ xmlns: true });
  const open = [['', {}, []]];
  parser.on('error', (error) => { throw error; });
  parser.on('opentag', (tag) => {
    const attributes = Object.values(tag.attributes).filter((each) => each.prefix !== 'xmlns' && each.name !== 'xmlns');
    const element = [named(tag), Object.fromEntries(attributes.map((each) => [named(each), each.value])), []];
    put(open.at(-1), element);
    open.push(element);
  });
  parser.on('closetag', () => open.pop());
  parser.on('text', (said) => put(open.at(-1), said));
  parser.on('cdata', (said) => put(open.at(-1), said));
  parser.write(text(body)).close();
  return open[0][2].find((each) => typeof each !== 'string');
};

const element = (node) => {
  const whole = [node.nodeName, Object.fromEntries((node.attrs ?? []).map((each) => [each.name, each.value])), []];
  for (const child of (node.content ?? node).childNodes ?? []) {
    if (child.nodeName === '#text') put(whole, child.value);
    else if (child.tagName) put(whole, element(child));
    else whole[2].push([child.nodeName, { data: child.data ?? child.name }, []]);
  }
  return whole;
};

const readers = {
  json: (body) => JSON.parse(text(body)),
  xml: readXml,
  html: (body) => element(parseHtml(text(body))),
  form: (body) => [...new URLSearchParams(text(body))],
  'csv, csv-parse': (body) => csvParse(text(body), { record_delimiter: '\r\n' }),
  'csv, csv-parse, either line end': (body) => csvParse(text(body), { record_delimiter: ['\r\n', '\n'] }),
  'csv, papaparse': (body) => {
    const { data, errors } = Papa.parse(text(body), { newline: '\r\n', delimiter: ',' });
    if (errors.length) throw new Error(errors[0].message);
    return data.slice(0, -1); // what follows the last line end is a record to it
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { format, body } = JSON.parse(line);
  let answer;
  try {
    answer = { read: readers[format](Buffer.from(body, 'base64')) };
  } catch (error) {
    answer = { refused: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
