/* cli_query.c - `vedette query`: one PromQL question to a running server, the answer as a table or as it
 * came. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "net/http_client.h"
#include "server/cli.h"

static const char usage[] =
    "vedette query [--server URL] [--time T | --start T --end T --step D] [--json] [--explain] EXPRESSION";

static void form_add(struct buf *form, const char *key, const char *value)
{
    if (value == NULL) return;
    if (form->n > 0) buf_char(form, '&');
    buf_printf(form, "%s=", key);
    for (const char *c = value; *c; c++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", *c))
            buf_char(form, *c);
        else
            buf_printf(form, "%%%02X", (unsigned char)*c);
    }
}

/* {"__name__":"up","job":"x"} -> up{job="x"} */
static void read_metric(struct json_reader *r, struct buf *out)
{
    struct str key, value, name = STR("");
    struct buf rest = BUF_INIT(1u << 20);
    if (json_object(r)) {
        while (json_key(r, &key) && json_string(r, &value)) {
            if (str_is(key, "__name__")) {
                name = value;
                continue;
            }
            if (rest.n > 0) buf_char(&rest, ',');
            buf_str(&rest, key);
            buf_char(&rest, '=');
            json_escape(&rest, value);
        }
    }
    buf_str(out, name);
    if (rest.n > 0 || name.n == 0) buf_printf(out, "{%.*s}", (int)rest.n, rest.p ? rest.p : "");
    buf_release(&rest);
}

static void read_point(struct json_reader *r, struct buf *out) /* [time, "value"] or [time, {histogram}] */
{
    struct str time, value;
    if (!json_array(r) || !json_next(r) || !json_number_text(r, &time) || !json_next(r)) return;
    if (json_peek(r) == JSON_STRING)
        json_string(r, &value);
    else
        json_raw(r, &value);
    while (json_next(r)) json_skip(r);
    buf_printf(out, "%.*s @%.*s", STR_ARG(value), STR_ARG(time));
}

static void read_points(struct json_reader *r, struct buf *out)
{
    if (!json_array(r)) return;
    while (json_next(r)) {
        buf_cs(out, "\n    ");
        read_point(r, out);
    }
}

static void read_series(struct json_reader *r, struct buf *out)
{
    struct str key;
    struct buf metric = BUF_INIT(1u << 20), points = BUF_INIT(1u << 30);
    if (json_object(r)) {
        while (json_key(r, &key)) {
            if (str_is(key, "metric"))
                read_metric(r, &metric);
            else if (str_is(key, "value") || str_is(key, "histogram"))
                read_point(r, &points);
            else if (str_is(key, "values") || str_is(key, "histograms"))
                read_points(r, &points);
            else
                json_skip(r);
        }
    }
    buf_str(out, buf_view(&metric));
    buf_cs(out, " => ");
    buf_str(out, buf_view(&points));
    buf_char(out, '\n');
    buf_release(&metric);
    buf_release(&points);
}

static void read_result(struct json_reader *r, struct str kind, struct buf *out)
{
    if (str_is(kind, "scalar") || str_is(kind, "string")) {
        read_point(r, out);
        buf_char(out, '\n');
        return;
    }
    if (!json_array(r)) return;
    while (json_next(r)) read_series(r, out);
}

static void read_notes(struct json_reader *r, const char *kind)
{
    struct str note;
    if (!json_array(r)) return;
    while (json_next(r) && json_string(r, &note)) fprintf(stderr, "%s: %.*s\n", kind, STR_ARG(note));
}

/* The envelope. Answers 0 when it said success. */
static int show(struct str body, struct buf *out)
{
    struct arena arena = ARENA_INIT((size_t)1 << 30);
    struct json_reader r;
    struct err e = ERR_INIT;
    struct str key, status = STR(""), kind = STR(""), error = STR("");
    json_open(&r, body, &arena);
    if (json_object(&r)) {
        while (json_key(&r, &key)) {
            if (str_is(key, "status"))
                json_string(&r, &status);
            else if (str_is(key, "error"))
                json_string(&r, &error);
            else if (str_is(key, "warnings") || str_is(key, "infos"))
                read_notes(&r, str_is(key, "infos") ? "info" : "warning");
            else if (str_is(key, "data") && json_object(&r)) {
                while (json_key(&r, &key)) {
                    if (str_is(key, "resultType"))
                        json_string(&r, &kind);
                    else if (str_is(key, "result"))
                        read_result(&r, kind, out);
                    else
                        json_skip(&r);
                }
            } else
                json_skip(&r);
        }
    }
    int rc = json_close(&r, &e);
    if (rc < 0)
        fprintf(stderr, "vedette query: the server's answer is not understood: %s\n", e.text);
    else if (!str_is(status, "success"))
        fprintf(stderr, "vedette query: %.*s\n", STR_ARG(error));
    int status_code = rc == OK && str_is(status, "success") ? 0 : 1;
    arena_release(&arena);
    return status_code;
}

enum shape { TABLE, RAW, PLAN }; /* as a table, as it came, what was done for it */

static int ask(const char *server, const char *path, struct str form, enum shape shape)
{
    struct buf url = BUF_INIT(4096), out = BUF_INIT((size_t)1 << 30);
    struct err e = ERR_INIT;
    struct http_fetched got = { 0 };
    const char *headers[] = { "Content-Type: application/x-www-form-urlencoded" };
    buf_printf(&url, "%s%s", server, path);
    struct http_fetch fetch = { .method = "POST",
                                .url = buf_cstr(&url),
                                .headers = headers,
                                .n_headers = 1,
                                .body = form,
                                .accept_gzip = true,
                                .timeout_ms = 130000,
                                .max_answer_bytes = (size_t)1 << 30 };
    int status = 1;
    if (http_fetch_now(&fetch, &got, &e) < 0) {
        fprintf(stderr, "vedette query: %s: %s\n", server, e.text);
    } else if (shape == RAW || (shape == PLAN && got.status == 200)) {
        fwrite(got.body.p, 1, got.body.n, stdout);
        if (shape == RAW) fputc('\n', stdout);
        status = got.status == 200 ? 0 : 1;
    } else {
        status = show(buf_view(&got.body), &out);
        fwrite(out.p ? out.p : "", 1, out.n, stdout);
    }
    buf_release(&got.body);
    buf_release(&url);
    buf_release(&out);
    return status;
}

int cli_query(int argc, char **argv)
{
    if (cli_switch(&argc, argv, "--help"))
        return printf("usage: %s\n\nTimes are Unix seconds or RFC 3339; a step is a duration like 30s.\n"
                      "--explain runs the query and shows what was done for it instead of the answer.\n",
                      usage),
               0;
    const char *server = cli_flag(&argc, argv, "--server");
    const char *time = cli_flag(&argc, argv, "--time"), *start = cli_flag(&argc, argv, "--start");
    const char *end = cli_flag(&argc, argv, "--end"), *step = cli_flag(&argc, argv, "--step");
    bool as_json = cli_switch(&argc, argv, "--json"), explain = cli_switch(&argc, argv, "--explain");
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc != 1 || (start != NULL) != (end != NULL)) return fprintf(stderr, "usage: %s\n", usage), 2;

    struct buf form = BUF_INIT(1u << 20);
    form_add(&form, "query", argv[0]);
    form_add(&form, "time", time);
    form_add(&form, "start", start);
    form_add(&form, "end", end);
    if (start != NULL) form_add(&form, "step", step ? step : "60s");
    if (explain && !as_json) form_add(&form, "format", "text");
    const char *path = explain ? "/api/v1/explain" : start ? "/api/v1/query_range" : "/api/v1/query";
    int status = ask(server ? server : CLI_SERVER_DEFAULT, path, buf_view(&form),
                     as_json   ? RAW
                     : explain ? PLAN
                               : TABLE);
    buf_release(&form);
    return status;
}
