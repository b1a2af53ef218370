/* exposition_format.c - what the reader wants (Accept), and names in the letters it can bear. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "decode/exposition.h"

/* ---- Accept ---- */

struct clause {
    struct str type, version, proto, encoding, escaping;
    double q;
};

static struct str unquoted(struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') return (struct str){ s.p + 1, s.n - 2 };
    return s;
}

static double quality(struct str s)
{
    char text[16];
    if (s.n == 0 || s.n >= sizeof text) return 0;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double q = 0, unit = 1; /* digits with a point: strtod would listen to the locale */
    bool fraction = false;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && !fraction)
            fraction = true;
        else if (*p < '0' || *p > '9')
            return 0;
        else if (fraction)
            q += (*p - '0') * (unit /= 10);
        else
            q = q * 10 + (*p - '0');
    }
    return q > 1 ? 1 : q;
}

static struct clause clause_read(struct str text)
{
    struct clause c = { .q = 1 };
    struct str rest;
    c.type = str_trim(str_cut(text, ';', &rest));
    while (rest.n > 0) {
        struct str value, name = str_trim(str_cut(str_cut(rest, ';', &rest), '=', &value));
        value = unquoted(str_trim(value));
        if (str_is_nocase(name, "q")) c.q = quality(value);
        if (str_is_nocase(name, "version")) c.version = value;
        if (str_is_nocase(name, "proto")) c.proto = value;
        if (str_is_nocase(name, "encoding")) c.encoding = value;
        if (str_is_nocase(name, "escaping")) c.escaping = value;
    }
    return c;
}

static const char *const escaping_names[] = { "underscores", "allow-utf-8", "dots", "values" };

static bool format_of(const struct clause *c, struct exposition_format *out)
{
    *out = (struct exposition_format){ .form = EXPOSITION_TEXT, .version = "0.0.4" };
    if (str_is_nocase(c->type, "application/openmetrics-text")) {
        out->form = EXPOSITION_OPENMETRICS;
        out->version = str_is(c->version, "0.0.1") ? "0.0.1" : "1.0.0";
        if (c->version.n > 0 && !str_is(c->version, out->version)) return false;
    } else if (str_is_nocase(c->type, "application/vnd.google.protobuf")) {
        out->form = EXPOSITION_PROTOBUF;
        out->version = NULL;
        if (!str_is(c->proto, "io.prometheus.client.MetricFamily") || !str_is(c->encoding, "delimited"))
            return false;
    } else if (str_is_nocase(c->type, "text/plain")) {
        if (str_is(c->version, "1.0.0")) out->version = "1.0.0";
        if (c->version.n > 0 && !str_is(c->version, out->version)) return false;
    } else if (!str_is(c->type, "*/*") && !str_is_nocase(c->type, "text/*")) {
        return false;
    }
    for (size_t i = 0; i < COUNT(escaping_names); i++) {
        if (!str_is(c->escaping, escaping_names[i])) continue;
        out->escaping = (enum exposition_escaping)i;
        out->escaping_asked = true;
    }
    return true;
}

struct exposition_format exposition_negotiate(struct str accept)
{
    struct exposition_format best = { .form = EXPOSITION_TEXT, .version = "0.0.4" }, this;
    double best_q = 0;
    while (accept.n > 0) {
        struct clause c = clause_read(str_cut(accept, ',', &accept));
        if (c.q <= best_q || !format_of(&c, &this)) continue; /* of equals the first */
        best = this;
        best_q = c.q;
    }
    return best;
}

const char *exposition_content_type(const struct exposition_format *f, char out[EXPOSITION_TYPE_MAX])
{
    int n;
    bool say_escaping = f->escaping_asked;
    if (f->form == EXPOSITION_PROTOBUF) {
        n = snprintf(
            out, EXPOSITION_TYPE_MAX,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited");
    } else if (f->form == EXPOSITION_OPENMETRICS) {
        n = snprintf(out, EXPOSITION_TYPE_MAX, "application/openmetrics-text; version=%s; charset=utf-8",
                     f->version);
        say_escaping |= strcmp(f->version, "1.0.0") == 0;
    } else {
        n = snprintf(out, EXPOSITION_TYPE_MAX, "text/plain; version=%s; charset=utf-8", f->version);
    }
    if (say_escaping)
        snprintf(out + n, EXPOSITION_TYPE_MAX - (size_t)n, "; escaping=%s", escaping_names[f->escaping]);
    return out;
}

/* ---- names ---- */

static bool is_plain(char c, bool first, bool is_metric)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return true;
    return (c >= '0' && c <= '9' && !first) || (c == ':' && is_metric);
}

/* The code point at s (valid UTF-8, as all names of ours), and its length. */
static uint32_t code_point(struct str s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s.p;
    *len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    *len = MIN(*len, s.n);
    uint32_t v = *len == 1 ? p[0] : p[0] & (0xffu >> (*len + 1));
    for (size_t i = 1; i < *len; i++) v = v << 6 | (p[i] & 0x3f);
    return v;
}

static void escape_one(struct buf *out, char c, bool plain, uint32_t code, enum exposition_escaping e)
{
    if (e == ESCAPING_UNDERSCORES) {
        buf_char(out, plain ? c : '_');
    } else if (plain && c == '_') {
        buf_cs(out, "__");
    } else if (plain) {
        buf_char(out, c);
    } else if (e == ESCAPING_DOTS) {
        buf_cs(out, code == '.' ? "_dot_" : "__");
    } else {
        buf_printf(out, "_%x_", (unsigned)code);
    }
}

void exposition_escape_name(struct buf *out, struct str name, enum exposition_escaping e, bool is_metric)
{
    bool plain = is_metric ? metric_name_is_plain(name) : label_name_is_plain(name);
    if (e == ESCAPING_ALLOW_UTF8 || (plain && e != ESCAPING_DOTS)) {
        buf_str(out, name);
        return;
    }
    if (e == ESCAPING_VALUES) buf_cs(out, "U__");
    for (size_t at = 0, len; at < name.n; at += len) {
        uint32_t code = code_point((struct str){ name.p + at, name.n - at }, &len);
        bool one = len == 1 && is_plain(name.p[at], at == 0, is_metric);
        escape_one(out, name.p[at], one, code, e);
    }
}
