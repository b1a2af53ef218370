/* html.c - see html.h. */
#include "tell/channel/html.h"

#include <strings.h>

#include "base/check.h"
#include "base/json.h"

#define UNSAFE "ZgotmplZ"

/* ---- where we are ---- */

static bool is_space(char c)
{
    return c != 0 && strchr(" \t\n\r\f", c) != NULL;
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}

static enum html_attribute attribute_of(const char *name)
{
    static const char *const addresses[] = { "href",    "src",        "action",     "formaction", "cite",
                                             "poster",  "background", "data",       "longdesc",   "manifest",
                                             "ping",    "usemap",     "icon",       "profile",    "codebase",
                                             "classid", "archive",    "xlink:href", "srcset" };
    if (strncmp(name, "on", 2) == 0 || strcmp(name, "style") == 0 || strcmp(name, "srcdoc") == 0)
        return HTML_CODE;
    return is_one_of(name, addresses, COUNT(addresses)) ? HTML_ADDRESS : HTML_PLAIN;
}

static void word_end(struct html_printer *h)
{
    if (h->names_tag) memcpy(h->tag, h->word, sizeof h->tag);
    h->names_tag = false;
}

static void word_begin(struct html_printer *h, bool names_tag)
{
    h->word_n = 0;
    h->word[0] = 0;
    h->names_tag = names_tag;
}

static void word_add(struct html_printer *h, char c)
{
    if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
    if (h->word_n + 1 < sizeof h->word) h->word[h->word_n++] = c;
    h->word[h->word_n] = 0;
}

static void tail_add(struct html_printer *h, char c)
{
    memmove(h->tail, h->tail + 1, sizeof h->tail - 2);
    h->tail[sizeof h->tail - 2] = c;
}

static bool tail_is(const struct html_printer *h, const char *end)
{
    size_t n = strlen(end);
    return strncasecmp(h->tail + sizeof h->tail - 1 - n, end, n) == 0;
}

static void tag_end(struct html_printer *h)
{
    word_end(h);
    bool code = strcmp(h->tag, "script") == 0 || strcmp(h->tag, "style") == 0;
    h->place = code ? HTML_SCRIPT : HTML_TEXT;
    h->quote = 0;
    memset(h->tail, ' ', sizeof h->tail - 1);
}

static void in_tag(struct html_printer *h, char c)
{
    if (c == '>') return tag_end(h);
    if (c == '=') {
        h->attribute = attribute_of(h->word);
        h->begun = h->asks = false;
        h->place = HTML_BEFORE;
    } else if (is_space(c) || (c == '/' && h->word_n > 0)) {
        word_end(h);
        if (is_space(c)) h->tail[0] = ' '; /* the next letter begins another name */
    } else {
        if (h->tail[0] == ' ') word_begin(h, false);
        h->tail[0] = 0;
        word_add(h, c);
        if (h->names_tag && strcmp(h->word, "!--") == 0) {
            h->place = HTML_COMMENT;
            memset(h->tail, ' ', sizeof h->tail - 1);
        }
    }
}

static void in_value(struct html_printer *h, char c)
{
    bool ends = h->place == HTML_DOUBLE   ? c == '"'
                : h->place == HTML_SINGLE ? c == '\''
                                          : is_space(c) || c == '>';
    if (!ends) {
        h->begun = true;
        h->asks |= c == '?' || c == '#';
        return;
    }
    h->place = HTML_TAG;
    h->tail[0] = ' ';
    if (c == '>') tag_end(h);
}

static void in_script(struct html_printer *h, char c)
{
    bool escaped = h->tail[sizeof h->tail - 2] == '\\';
    tail_add(h, c);
    if (tail_is(h, "</script") || tail_is(h, "</style")) {
        h->place = HTML_TAG;
        word_begin(h, true);
        word_add(h, '/');
        h->tail[0] = 0;
    } else if (h->quote == 0 && strchr("\"'`", c))
        h->quote = c;
    else if (c == h->quote && !escaped)
        h->quote = 0;
}

static void follow(struct html_printer *h, char c)
{
    switch (h->place) {
    case HTML_TEXT:
        if (c != '<') break;
        h->place = HTML_TAG;
        h->tail[0] = 0;
        word_begin(h, true);
        break;
    case HTML_TAG: in_tag(h, c); break;
    case HTML_BEFORE:
        if (is_space(c)) break;
        h->place = c == '"' ? HTML_DOUBLE : c == '\'' ? HTML_SINGLE : HTML_UNQUOTED;
        if (h->place == HTML_UNQUOTED) in_value(h, c);
        break;
    case HTML_DOUBLE:
    case HTML_SINGLE:
    case HTML_UNQUOTED: in_value(h, c); break;
    case HTML_COMMENT:
        tail_add(h, c);
        if (tail_is(h, "-->")) h->place = HTML_TEXT;
        break;
    case HTML_SCRIPT: in_script(h, c); break;
    }
}

void html_text(void *printer, struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) follow(printer, s.p[i]);
    buf_str(out, s);
}

/* ---- values ---- */

static void escape_as(struct buf *out, struct str s, bool unquoted)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        const char *rest = unquoted ? " \t\n\r\f=`+" : "+";
        if (c == '&')
            buf_cs(out, "&amp;");
        else if (c == '<')
            buf_cs(out, "&lt;");
        else if (c == '>')
            buf_cs(out, "&gt;");
        else if (c == 0)
            buf_cs(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\'' || strchr(rest, c))
            buf_printf(out, "&#%d;", c);
        else
            buf_char(out, c);
    }
}

void html_escape(struct buf *out, struct str s)
{
    escape_as(out, s, false);
}

/* http, https, mailto, or no scheme at all. */
static bool is_safe_address(struct str s)
{
    for (size_t i = 0; i < s.n && strchr("/?#", s.p[i]) == NULL; i++) {
        if (s.p[i] != ':') continue;
        struct str scheme = str_make(s.p, i);
        return str_is_nocase(scheme, "http") || str_is_nocase(scheme, "https") ||
               str_is_nocase(scheme, "mailto");
    }
    return true;
}

static void put_address(struct html_printer *h, struct buf *out, struct str s, bool trusted)
{
    struct buf address = BUF_INIT(TEMPLATE_MADE_MAX);
    if (!h->begun && !trusted && !is_safe_address(s)) s = STR("#" UNSAFE);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        bool plain = letter || (c && strchr(h->asks ? "-_.~" : "-_.~!#$&*+,/:;=?@[]%", c));
        if (plain)
            buf_char(&address, (char)c);
        else
            buf_printf(&address, "%%%02x", c);
    }
    h->begun |= s.n > 0;
    escape_as(out, buf_view(&address), h->place == HTML_UNQUOTED);
    buf_release(&address);
}

/* In a script's string its escapes; elsewhere in code a JSON string. Never the end of the script. */
static void put_code(struct html_printer *h, struct buf *out, struct str s)
{
    struct buf json = BUF_INIT(TEMPLATE_MADE_MAX);
    json_escape(&json, s);
    struct str text = buf_view(&json);
    if (h->quote && text.n >= 2) text = str_make(text.p + 1, text.n - 2);
    for (size_t i = 0; i < text.n; i++)
        if (strchr("<>&'`", text.p[i]) && text.p[i])
            buf_printf(out, "\\u%04x", text.p[i]);
        else
            buf_char(out, text.p[i]);
    buf_release(&json);
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') ||
              strchr("#%. ,-", s.p[i])))
            return false;
    return true;
}

static void put_in_value(struct html_printer *h, struct buf *out, struct str s, enum tvalue_kind kind)
{
    if (h->attribute == HTML_ADDRESS)
        put_address(h, out, s, kind == TK_URL);
    else if (h->attribute == HTML_CODE && !is_word(s))
        buf_cs(out, UNSAFE);
    else
        escape_as(out, s, h->place == HTML_UNQUOTED);
}

void html_value(void *printer, struct buf *out, struct tvalue v)
{
    struct html_printer *h = printer;
    struct arena scratch = ARENA_INIT(TEMPLATE_MADE_MAX);
    struct str s = v.type == TV_NIL ? STR("") : tv_text(v, &scratch);
    enum tvalue_kind kind = v.type == TV_STR ? v.kind : TK_PLAIN;
    if (h->place == HTML_BEFORE) h->place = HTML_UNQUOTED;
    switch (h->place) {
    case HTML_TEXT:
        if (kind == TK_HTML)
            buf_str(out, s);
        else
            html_escape(out, s);
        break;
    case HTML_BEFORE:
    case HTML_DOUBLE:
    case HTML_SINGLE:
    case HTML_UNQUOTED: put_in_value(h, out, s, kind); break;
    case HTML_SCRIPT: put_code(h, out, s); break;
    case HTML_TAG: buf_cs(out, UNSAFE); break;
    case HTML_COMMENT: break;
    }
    arena_release(&scratch);
}
