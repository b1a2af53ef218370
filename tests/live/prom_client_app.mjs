// prom_client_app.mjs PORT - an application with prom-client: OpenMetrics with exemplars on /metrics, text on /text.
import http from "node:http";
import client from "prom-client";

const openMetrics = new client.Registry();
openMetrics.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE);
const requests = new client.Counter({ name: "app_requests", help: "Requests.", labelNames: ["code"], registers: [openMetrics], enableExemplars: true });
const latency = new client.Histogram({ name: "app_latency_seconds", help: "Latency.", buckets: [0.1, 1, 10], registers: [openMetrics], enableExemplars: true });
const text = new client.Registry();
new client.Gauge({ name: "app_odd", help: "A help with \\ and\na line end.", labelNames: ["v"], registers: [text] }).set({ v: 'a"b\\c\nd' }, 1.5);

let n = 0;
http.createServer(async (req, res) => {
  if (req.url === "/text") {
    res.setHeader("Content-Type", text.contentType);
    return res.end(await text.metrics());
  }
  n++;
  requests.inc({ labels: { code: "200" }, value: 1, exemplarLabels: { trace_id: "trace" + n } });
  latency.observe({ value: 0.5, exemplarLabels: { trace_id: "slow" + n } });
  res.setHeader("Content-Type", openMetrics.contentType);
  res.end(await openMetrics.metrics());
}).listen(Number(process.argv[2]), "127.0.0.1");
