/* cli_export.c - `vedette export`: history of a running server into a file, day by day, with progress.
 *
 * Each day is one request, so that neither side holds more; the file gets one lineage header over all of it,
 * with the number of rows and the SHA-256 of what follows, and appears under its name when it is whole. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/http_client.h"
#include "server/cli.h"
#include "server/version.h"
#include "tell/params.h"
#include "tell/prom_json.h"
#include "tell/report/export.h"

#define DAY_MS   (INT64_C(24) * 3600000)
#define ROWS_MAX ((size_t)1 << 30)

static const char usage[] =
    "vedette export [--server URL] [--format csv|json] [--start T] [--end T] [--backend-id ID]\n"
    "               [--query PROMQL [--step D]] [--out FILE]";

struct pull {
    const char *server, *backend, *query, *step;
    enum export_format format;
    int64_t from_ms, to_ms;
    struct buf rows;
    uint64_t n;
};

static void put_param(struct buf *url, const char *key, const char *value)
{
    if (value == NULL) return;
    buf_printf(url, "&%s=", key);
    for (const char *c = value; *c; c++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", *c))
            buf_char(url, *c);
        else
            buf_printf(url, "%%%02X", (unsigned char)*c);
}

/* Rows of a CSV: what follows the lines with # and the names of the columns, which are kept once. */
static void take_csv(struct pull *p, struct str text)
{
    bool names = true;
    while (text.n > 0) {
        struct str rest, line = str_cut(text, '\n', &rest);
        text = rest;
        if (line.n > 0 && line.p[0] == '#') continue;
        if (!names || p->rows.n == 0) {
            buf_str(&p->rows, line);
            buf_char(&p->rows, '\n');
        }
        p->n += !names;
        names = false;
    }
}

static int take_json(struct pull *p, struct str text, struct err *e)
{
    struct arena a = ARENA_INIT((size_t)1 << 30);
    struct json_reader j;
    struct str key, row;
    json_open(&j, text, &a);
    if (json_object(&j))
        while (json_key(&j, &key)) {
            if (!str_is(key, "rows") || !json_array(&j)) {
                json_skip(&j);
                continue;
            }
            while (json_next(&j) && json_raw(&j, &row)) {
                buf_cs(&p->rows, p->n++ > 0 ? ",\n" : "[\n");
                buf_str(&p->rows, row);
            }
        }
    int rc = json_close(&j, e);
    arena_release(&a);
    return rc;
}

static int fetch(struct pull *p, int64_t from_ms, int64_t to_ms, struct err *e)
{
    struct buf url = BUF_INIT(1u << 20);
    struct http_fetched got = { 0 };
    buf_printf(&url, "%s/api/v1/export?format=%s&start=%lld.%03d&end=%lld.%03d", p->server,
               p->format == EXPORT_JSON ? "json" : "csv", (long long)(from_ms / 1000), (int)(from_ms % 1000),
               (long long)(to_ms / 1000), (int)(to_ms % 1000));
    put_param(&url, "backend_id", p->backend);
    put_param(&url, "query", p->query);
    put_param(&url, "step", p->step);
    struct http_fetch ask = { .method = "GET",
                              .url = buf_cstr(&url),
                              .accept_gzip = true,
                              .timeout_ms = 150000,
                              .max_answer_bytes = ROWS_MAX };
    int rc = http_fetch_now(&ask, &got, e);
    if (rc == OK && got.status != 200)
        rc = err_set(e, ERR_EXEC, "%ld: %.*s", got.status, (int)MIN(got.body.n, (size_t)300), got.body.p);
    if (rc == OK && p->format == EXPORT_JSON) rc = take_json(p, buf_view(&got.body), e);
    if (rc == OK && p->format == EXPORT_CSV) take_csv(p, buf_view(&got.body));
    if (rc == OK && p->rows.full) rc = err_set(e, ERR_LIMIT, "more than %zu bytes", ROWS_MAX);
    buf_release(&got.body);
    buf_release(&url);
    return rc;
}

static void show(const struct pull *p, int64_t at_ms)
{
    double part = (double)(at_ms - p->from_ms) / (double)(p->to_ms - p->from_ms);
    fprintf(stderr, isatty(2) ? "\r\x1b[K%3.0f %%  %llu rows" : "exported %.0f %%, %llu rows\n", 100 * part,
            (unsigned long long)p->n);
    if (isatty(2) && at_ms >= p->to_ms) fputc('\n', stderr);
}

static int pull_all(struct pull *p, struct err *e)
{
    int rc = OK;
    for (int64_t at = p->from_ms, next; at < p->to_ms && rc == OK; at = next) {
        next = MIN((at / DAY_MS + 1) * DAY_MS, p->to_ms);
        rc = fetch(p, at, next, e);
        if (rc == OK) show(p, next);
    }
    if (p->format == EXPORT_JSON) buf_cs(&p->rows, p->n > 0 ? "\n]" : "[\n]");
    return rc;
}

static void put_time(FILE *f, int64_t ms)
{
    struct buf text = BUF_INIT(128);
    prom_put_rfc3339(&text, ms);
    fwrite(text.p, 1, text.n, f);
    buf_release(&text);
}

static void write_head(const struct pull *p, FILE *f, const char *sha256)
{
    const bool json = p->format == EXPORT_JSON;
    struct buf what = BUF_INIT(1u << 20);
    json_escape(&what, str_of(p->query != NULL ? p->query : "hours by backend"));
    fprintf(f,
            json ? "{\"lineage\":{\"source\":\"vedette\",\"version\":\"%s\",\"query\":%.*s,\"range\":["
                 : "# source: vedette\n# version: %s\n# query: %.*s\n# range: ",
            VEDETTE_VERSION, (int)what.n, what.p);
    put_time(f, p->from_ms);
    fputc(json ? ',' : ' ', f);
    put_time(f, p->to_ms);
    fprintf(f, json ? "],\"rows\":%llu,\"sha256\":\"%s\"},\"rows\":" : "\n# rows: %llu\n# sha256: %s\n",
            (unsigned long long)p->n, sha256);
    buf_release(&what);
}

static int write_out(const struct pull *p, const char *path, struct err *e)
{
    char sha256[65];
    struct buf fresh = BUF_INIT(8192);
    export_sha256(buf_view(&p->rows), sha256);
    buf_printf(&fresh, "%s.tmp", path != NULL ? path : "");
    FILE *f = path != NULL ? fopen(buf_cstr(&fresh), "wb") : stdout;
    int rc = f == NULL ? err_errno(e, ERR_IO, "%s", buf_cstr(&fresh)) : OK;
    if (rc == OK) {
        write_head(p, f, sha256);
        fwrite(p->rows.p, 1, p->rows.n, f);
        if (p->format == EXPORT_JSON) fputs("}\n", f);
        bool ok = fflush(f) == 0 && !ferror(f);
        if (path != NULL) ok = fclose(f) == 0 && ok && rename(buf_cstr(&fresh), path) == 0;
        if (!ok) rc = err_errno(e, ERR_IO, "%s", path != NULL ? path : "standard output");
    }
    buf_release(&fresh);
    return rc;
}

static bool take_times(struct pull *p, const char *start, const char *end)
{
    p->to_ms = clock_now_ms();
    if (end != NULL && !param_time(str_of(end), &p->to_ms)) return false;
    p->from_ms = p->to_ms - DAY_MS;
    if (start != NULL && !param_time(str_of(start), &p->from_ms)) return false;
    return p->from_ms >= 0 && p->from_ms < p->to_ms && p->to_ms < INT64_MAX / 1000000;
}

int cli_export(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "grafana") == 0) return cli_export_grafana(argc - 1, argv + 1);
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *server = cli_flag(&argc, argv, "--server"), *format = cli_flag(&argc, argv, "--format");
    const char *start = cli_flag(&argc, argv, "--start"), *end = cli_flag(&argc, argv, "--end");
    const char *out = cli_flag(&argc, argv, "--out");
    struct pull p = { .server = server != NULL ? server : CLI_SERVER_DEFAULT,
                      .backend = cli_flag(&argc, argv, "--backend-id"),
                      .query = cli_flag(&argc, argv, "--query"),
                      .step = cli_flag(&argc, argv, "--step"),
                      .rows = BUF_INIT(ROWS_MAX) };
    struct err e = ERR_INIT;
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc != 0 || !export_format_read(str_of(format), &p.format) || !take_times(&p, start, end))
        return fprintf(stderr, "usage: %s\n", usage), 2;
    int rc = pull_all(&p, &e);
    if (rc == OK) rc = write_out(&p, out, &e);
    if (rc < 0) fprintf(stderr, "vedette export: %s\n", e.text);
    buf_release(&p.rows);
    return rc < 0 ? 1 : 0;
}
