/* json_path.c - the text of a path: names, .names, [0], ["name"]. */
#include "query/logql/json_path.h"

#include "base/check.h"
#include "query/promql/lex.h"

static bool is_name(char c, bool first)
{
    bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '-' || c == '@'));
}

static bool take_name(struct str *s, struct json_step *out)
{
    size_t n = 0;
    while (n < s->n && is_name(s->p[n], n == 0)) n++;
    if (n == 0) return false;
    *out = (struct json_step){ .key = str_make(s->p, n) };
    *s = str_make(s->p + n, s->n - n);
    return true;
}

static bool take_quoted(struct str *s, struct arena *a, struct json_step *out)
{
    size_t n = 1;
    while (n < s->n && s->p[n] != '"') n += s->p[n] == '\\' ? 2 : 1;
    if (n >= s->n) return false;
    if (lex_unquote(str_make(s->p, n + 1), a, &out->key, NULL) < 0) return false;
    if (out->key.p == NULL) out->key = STR("");
    *s = str_make(s->p + n + 1, s->n - n - 1);
    return true;
}

static bool take_index(struct str *s, struct json_step *out)
{
    size_t n = 0;
    uint64_t index;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    if (n == 0 || n > 9 || !str_to_u64(str_make(s->p, n), &index)) return false;
    *out = (struct json_step){ .index = (size_t)index };
    *s = str_make(s->p + n, s->n - n);
    return true;
}

/* ["name"] or [3], after the bracket */
static bool take_bracket(struct str *s, struct arena *a, struct json_step *out)
{
    *out = (struct json_step){ 0 };
    bool taken = s->n > 0 && s->p[0] == '"' ? take_quoted(s, a, out) : take_index(s, out);
    if (!taken || s->n == 0 || s->p[0] != ']') return false;
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

static bool take_step(struct str *s, struct json_path *p, struct arena *a)
{
    struct json_step *out = &p->steps[p->n++];
    char c = s->p[0];
    if (c != '[' && c != '.') return p->n == 1 && take_name(s, out);
    *s = str_make(s->p + 1, s->n - 1);
    return c == '[' ? take_bracket(s, a, out) : p->n > 1 && take_name(s, out);
}

int json_path_new(struct str text, struct arena *a, struct json_path **out, struct err *e)
{
    struct json_path *p = *out = arena_zero(a, sizeof *p);
    struct str rest = str_trim(text);
    bool good = rest.n > 0;
    while (good && rest.n > 0) {
        if (p->n == JSON_PATH_MAX)
            return err_set(e, ERR_PARSE, "JSON path of more than %d steps", JSON_PATH_MAX);
        good = take_step(&rest, p, a);
    }
    if (good) return OK;
    return err_set(e, ERR_PARSE, "cannot parse expression \"%.*s\" as a JSON path",
                   text.n > 100 ? 100 : (int)text.n, text.p ? text.p : "");
}
