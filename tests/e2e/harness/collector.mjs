// An OpenTelemetry collector that keeps all spans: OTLP over HTTP with protobuf.

import { once } from 'node:events';
import { createServer } from 'node:http';

import protobuf from 'protobufjs';

import { listen } from './ports.mjs';
import { until } from './wait.mjs';

/** The part of opentelemetry/proto/collector/trace/v1 that the tests need; the decoder ignores other fields. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    string trace_state = 3;
    bytes parent_span_id = 4;
    string name = 5;
    uint32 kind = 6;
    repeated KeyValue attributes = 9;
    Status status = 15;
  }
  message Status { string message = 2; uint32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { string string_value = 1; }
`);
const Request = root.lookupType('ExportTraceServiceRequest');

export class Collector {
  spans = [];
  /** The `Authorization` headers of all requests. */
  authorizations = new Set();

  static async start() {
    const collector = new Collector();
    collector.server = createServer((request, response) => collector.#take(request, response));
    await listen(collector.server);
    return collector;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  async #take(request, response) {
    const isOtlp =
      request.method === 'POST' &&
      request.url === '/v1/traces' &&
      request.headers['content-type'] === 'application/x-protobuf';
    this.authorizations.add(request.headers.authorization);
    const body = Buffer.concat(await request.toArray());
    if (isOtlp) this.#keep(Request.decode(body));
    response.writeHead(isOtlp ? 200 : 400, { 'content-type': 'application/x-protobuf' }).end();
  }

  #keep({ resourceSpans }) {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          service: attributes(resource)['service.name'],
          name: span.name,
          kind: span.kind,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentId: hex(span.parentSpanId),
          attributes: attributes(span),
          isError: span.status?.code === 2,
        });
      }
    }
  }

  /** Waits for the first span that fits. */
  span(what, fits) {
    return until(() => this.spans.find(fits), `a span of ${what} is sent`);
  }

  async stop() {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

const hex = (bytes) => Buffer.from(bytes ?? []).toString('hex');

const attributes = (of) =>
  Object.fromEntries((of?.attributes ?? []).map(({ key, value }) => [key, value?.stringValue]));
