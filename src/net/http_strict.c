/* http_strict.c - looking at a request's head once more.
 *
 * libmicrohttpd parses in place: names, values, method and version all point into one block, the head as it
 * came, with the two bytes of each CRLF overwritten by NULs. It takes a bare LF for a line end, too, and
 * folds lines, and tells nobody. But the gaps between the pointers it hands out tell:
 *
 *     | method SP target SP version .. | name ':' value .. | name ':' value .. | .. |
 *       ^method             ^version ^2  ^name      ^value ^2                     ^2   ^method + head size
 *
 * A line end of one byte was a bare LF; a line that is only half in the block was folded; a longer gap hides
 * a NUL. A libmicrohttpd that copies instead shows lines outside the block: then only the contents are
 * judged. (Newer ones refuse all of this themselves.) Only public calls are used. */
#include "net/http_strict.h"

static bool is_token_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_byte(s.p[i])) return false;
    return s.n > 0;
}

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 32 && s.p[i] != '\t') || s.p[i] == 127) return true;
    return false;
}

static const char *fields_wrong(const struct http_pair *f, size_t n, bool is_http10)
{
    size_t lengths = 0, codings = 0, hosts = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_token(f[i].name)) return "header name with a byte that is not allowed";
        if (has_control(f[i].value)) return "header value with a control byte";
        if (str_is_nocase(f[i].name, "host")) hosts++;
        if (str_is_nocase(f[i].name, "content-length")) {
            lengths++;
            if (!is_digits(f[i].value)) return "Content-Length is not a number";
        }
        if (str_is_nocase(f[i].name, "transfer-encoding")) {
            codings++;
            if (!str_is_nocase(f[i].value, "chunked")) return "Transfer-Encoding other than chunked";
        }
    }
    if (lengths > 1) return "more than one Content-Length";
    if (codings > 1) return "more than one Transfer-Encoding";
    if (lengths && codings) return "both Content-Length and Transfer-Encoding";
    if (codings && is_http10) return "Transfer-Encoding in HTTP/1.0";
    if (hosts > 1) return "more than one Host";
    if (hosts == 0 && !is_http10) return "no Host";
    return NULL;
}

/* Between the end of one thing and the begin of the next lie blanks that were trimmed and the two bytes of a
 * CRLF. */
static const char *line_end_wrong(const char *end, const char *next)
{
    while (end < next && (*end == ' ' || *end == '\t')) end++;
    if (next - end == 2) return NULL;
    return next - end < 2 ? "line ends without a carriage return" : "NUL byte in the head";
}

struct head {
    const char *begin, *end, *version;
};

static bool in_head(const struct head *h, struct str s)
{
    return s.p >= h->begin && s.p + s.n <= h->end;
}

/* One line: *at, the end of the line before, moves to this one's end. An empty value may point anywhere
 * behind the colon, so the end of its line cannot be judged. A folded line leaves its name or its value
 * elsewhere, not both. */
static const char *line_wrong(const struct head *h, const struct http_pair *f, const char **at)
{
    bool value_in = f->value.n == 0 || in_head(h, f->value);
    if (in_head(h, f->name) != value_in) return "folded header line";
    const char *why = *at ? line_end_wrong(*at, f->name.p) : NULL;
    *at = f->value.n ? f->value.p + f->value.n : NULL;
    return why;
}

static const char *layout_wrong(const struct head *h, size_t target_n, const struct http_pair *f, size_t n)
{
    const char *why, *at = h->version + strlen(h->version);
    if ((size_t)(h->version - h->begin) != strlen(h->begin) + 1 + target_n + 1)
        return "request line with odd blanks";
    for (size_t i = 0; i < n; i++) {
        if (!in_head(h, f[i].name) && !in_head(h, f[i].value)) return NULL; /* copied: no layout to judge */
        if ((why = line_wrong(h, &f[i], &at)) != NULL) return why;
    }
    return at ? line_end_wrong(at, h->end - 2) : NULL; /* then the empty line */
}

const char *http_strict(struct MHD_Connection *connection, const char *method, struct str target,
                        const char *version, const struct http_pair *fields, size_t n_fields)
{
    const char *why;
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return "unsupported protocol version";
    if (!is_token(str_of(method))) return "method with a byte that is not allowed";
    if ((why = fields_wrong(fields, n_fields, strcmp(version, "HTTP/1.0") == 0)) != NULL) return why;

    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL) return NULL;
    struct head head = { method, method + info->header_size, version };
    return in_head(&head, str_of(version)) ? layout_wrong(&head, target.n, fields, n_fields) : NULL;
}

const char *http_strict_target(struct str target)
{
    for (size_t i = 0; i < target.n; i++)
        if ((unsigned char)target.p[i] <= ' ' || target.p[i] == 127)
            return "request target with a blank or control byte";
    struct str query, path = str_cut(target, '?', &query);
    return http_escapes_valid(path) ? NULL : "request path with a bad %-escape";
}
