/* respond.c - see respond.h. */
#include "tell/respond.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "tell/missing.h"

#define JSON "application/json"

static const struct {
    const char *type;
    int status;
} errors[] = {
    [API_BAD_DATA] = { "bad_data", 400 },       [API_EXECUTION] = { "execution", 422 },
    [API_CANCELED] = { "canceled", 499 },       [API_TIMEOUT] = { "timeout", 503 },
    [API_UNAVAILABLE] = { "unavailable", 500 }, [API_INTERNAL] = { "internal", 500 },
    [API_NOT_FOUND] = { "not_found", 404 },     [API_NOT_ACCEPTABLE] = { "not_acceptable", 406 },
    [API_BUSY] = { "unavailable", 503 },
};

void respond_begin(struct buf *out)
{
    buf_cs(out, "{\"status\":\"success\",\"data\":");
}

static void put_list(struct buf *out, const char *key, const struct str *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0)
            buf_printf(out, ",\"%s\":[", key);
        else
            buf_char(out, ',');
        json_escape(out, texts[i]);
    }
    if (n > 0) buf_char(out, ']');
}

void respond_success(struct http_exchange *x, struct buf *out, const struct str *warnings, size_t n_warnings,
                     const struct str *infos, size_t n_infos)
{
    struct str *missing, *all = (struct str *)warnings;
    size_t n_missing = missing_list(x, &missing);

    if (n_missing > 0) {
        missing_header(x);
        all = arena_array(http_arena(x), n_missing + n_warnings, sizeof *all);
        memcpy(all, missing, n_missing * sizeof *all);
        if (n_warnings > 0) memcpy(all + n_missing, warnings, n_warnings * sizeof *all);
    }
    put_list(out, "warnings", all, n_missing + n_warnings);
    put_list(out, "infos", infos, n_infos);
    buf_char(out, '}');
    if (out->full) {
        buf_release(out);
        respond_error(x, API_EXECUTION, "the answer is larger than %zu MiB; ask for fewer series or points",
                      ANSWER_MAX_BYTES >> 20);
        return;
    }
    http_answer_buf(x, 200, JSON, out);
}

void respond_data(struct http_exchange *x, struct buf *out)
{
    respond_success(x, out, NULL, 0, NULL, 0);
}

void respond_json(struct http_exchange *x, struct str data)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);

    respond_begin(&out);
    buf_str(&out, data);
    respond_data(x, &out);
}

void respond_truncated(struct http_exchange *x, struct buf *out, bool truncated)
{
    struct str warning = STR("results truncated due to limit");
    respond_success(x, out, &warning, truncated ? 1 : 0, NULL, 0);
}

static void error_text(struct http_exchange *x, enum api_error kind, struct str text)
{
    struct buf out = BUF_INIT(64 << 10);

    buf_printf(&out, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", errors[kind].type);
    json_escape(&out, text);
    buf_char(&out, '}');
    if (kind == API_BUSY) http_answer_header(x, "Retry-After", STR("1"));
    http_answer_buf(x, errors[kind].status, JSON, &out);
}

void respond_error(struct http_exchange *x, enum api_error kind, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_text(x, kind, str_of(text));
}

static enum api_error kind_of(int code)
{
    switch (code) {
    case ERR_PARSE:
    case ERR_RANGE: return API_BAD_DATA;
    case ERR_EXEC:
    case ERR_LIMIT: return API_EXECUTION;
    case ERR_CANCEL: return API_CANCELED;
    case ERR_TIMEOUT: return API_TIMEOUT;
    case ERR_FIND: return API_NOT_FOUND;
    case ERR_BUSY: return API_BUSY;
    default: return API_INTERNAL;
    }
}

void respond_err(struct http_exchange *x, const struct err *e)
{
    error_text(x, kind_of(e->code), str_of(e->text));
}

void respond_text(struct http_exchange *x, int status, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text - 1, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n > sizeof text - 2) n = sizeof text - 2;
    text[n++] = '\n';
    http_answer(x, status, "text/plain; charset=utf-8", str_make(text, (size_t)n));
}
