/* template.h - Go's text/template: for LogQL's line_format and label_format, rule annotations, notifications.
 *
 * {{.a.b}}, pipelines, if / else if / else, with, range / else, break, continue, $variables, define,
 * template, block, comments, {{- trimming -}}, parentheses. What functions exist is the caller's table, on
 * top of Go's own (and, or, not, eq, ne, lt, le, gt, ge, len, index, slice, print, printf, println, html, js,
 * urlquery).
 *
 *     struct template *t;
 *     if (template_new(text, &functions, &t, e) < 0) ...
 *     template_run(t, data, host, &arena, &out, e)
 *
 * Bounded: TEMPLATE_STEPS_MAX steps a run, TEMPLATE_DEPTH_MAX levels of nesting, and the ceiling of the
 * output. Threads: a template never changes after template_new; any number may run it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define TEMPLATE_TEXT_MAX  (64u << 10)
#define TEMPLATE_DEPTH_MAX 64
#define TEMPLATE_STEPS_MAX 100000
#define TEMPLATE_ARGS_MAX  64
#define TEMPLATE_MADE_MAX  (4u << 20) /* bytes of one text made by a function */

/* ---- values ---- */

enum tvalue_type {
    TV_NIL, /* what is missing; printed as <no value> */
    TV_BOOL,
    TV_INT,
    TV_FLOAT,
    TV_STR,
    TV_TIME, /* ns since 1970, with an offset */
    TV_LIST,
    TV_MAP,    /* entries sorted by key */
    TV_LOOKUP, /* a map that is asked by name: the caller's own data */
};

struct tvalue;
struct tentry;
struct template_call;

/* What a value is beside its type: a function's promise, or a unit. */
enum tvalue_kind {
    TK_PLAIN,
    TK_HTML,     /* of a text: made for HTML, not to be escaped there */
    TK_URL,      /* of a text: an address that may stand in any attribute */
    TK_DURATION, /* of an integer: nanoseconds, printed as Go prints a duration */
};

/* What can be called on a list or a map: .Values, .Remove "a". */
struct tmethods {
    /* ERR_FIND: no such method; then it is a key like any other. */
    int (*call)(struct template_call *, struct tvalue self, struct str name, struct tvalue *out);
    void (*print)(struct buf *, struct tvalue self); /* NULL: as any list or map */
    bool missing_is_empty;                           /* of a map: a key that is missing prints nothing */
};

/* A lazy map: the value of a name; TV_NIL when there is none. */
struct tlookup {
    struct tvalue (*get)(void *ctx, struct str name, struct arena *);
    void (*list)(void *ctx, struct arena *, struct tentry **out, size_t *n); /* NULL: cannot be walked */
    void *ctx;
    bool missing_is_empty; /* of get: print nothing instead of <no value> */
};

struct tvalue {
    enum tvalue_type type;
    enum tvalue_kind kind;
    union {
        bool b;
        int64_t i;
        double d;
        struct str s;
        struct {
            int64_t ns;
            int offset_s;
        } time;
        struct {
            const struct tvalue *at;
            size_t n;
            const struct tmethods *methods; /* NULL: none */
        } list;
        struct {
            const struct tentry *at;
            size_t n;
            const struct tmethods *methods; /* NULL: none */
        } map;
        const struct tlookup *lookup;
    };
};

struct tentry {
    struct str key;
    struct tvalue value;
};

struct tvalue tv_str(struct str);
struct tvalue tv_int(int64_t);
struct tvalue tv_float(double);
struct tvalue tv_bool(bool);
struct tvalue tv_time(int64_t ns, int offset_s);
struct tvalue tv_duration(int64_t ns);
bool tv_true(struct tvalue);                       /* Go's truth: not zero, not empty */
void tv_print(struct buf *, struct tvalue);        /* as {{.}} does */
struct str tv_text(struct tvalue, struct arena *); /* a text as it is, others printed */

/* ---- functions ---- */

struct template_run;

struct template_call {
    struct template_run *run;
    struct arena *arena;
    void *host; /* of template_run */
    const char *name;
    const struct tvalue *args;
    size_t n;
    struct err *err;
};

/* OK, or ERR_EXEC with a sentence. */
typedef int template_fn(struct template_call *, struct tvalue *out);

struct template_function {
    const char *name;
    int min, max; /* arguments; max -1: any number */
    template_fn *fn;
};

struct template_functions { /* several tables, looked through in order; the last has n == 0 */
    const struct template_function *at;
    size_t n;
    const struct template_functions *next;
};

int tf_fail(struct template_call *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- templates ---- */

struct template;

/* ERR_PARSE ("template: 1: function "x" not defined"), ERR_LIMIT. The tables must outlive it. */
int template_new(struct str text, const struct template_functions *, struct template **out, struct err *);
/* One that may call what `library` (and its library, and so on) defines; its own definitions come first, also
 * when one of the library calls another. The library must outlive it. NULL: template_new. */
int template_new_with(struct str text, const struct template_functions *, const struct template *library,
                      struct template **out, struct err *);
void template_free(struct template *); /* NULL is fine */

/* Appends to out. ERR_EXEC, ERR_LIMIT. Scratch and what values point to is in the arena. */
int template_run(const struct template *, struct tvalue data, void *host, struct arena *, struct buf *out,
                 struct err *);

/* Where what is printed goes through somebody's hands: text of the template itself, and values. */
struct template_printer {
    void (*text)(void *ctx, struct buf *out, struct str);
    void (*value)(void *ctx, struct buf *out, struct tvalue);
    void *ctx;
};
int template_run_through(const struct template *, struct tvalue data, void *host, struct arena *,
                         struct buf *out, const struct template_printer *, struct err *);

/* {{.name}} and nothing else, or text without any action: then what is cheap may be done without a run. */
bool template_is_field(const struct template *, struct str *name);
