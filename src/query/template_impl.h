/* template_impl.h - the tree of a template, shared by its parser and its interpreter. Not for others. */
#pragma once
#include "query/template.h"

#define TEMPLATE_CHAIN_MAX 32  /* .a.b.c */
#define TEMPLATE_VARS_MAX  256 /* alive at once */
#define TEMPLATE_NODES_MAX 20000

enum tnode_kind { TN_TEXT, TN_ACTION, TN_IF, TN_WITH, TN_RANGE, TN_BREAK, TN_CONTINUE, TN_CALL };

enum toperand_kind { TO_DOT, TO_VAR, TO_CONST, TO_FN, TO_PIPE };

struct toperand {
    enum toperand_kind kind;
    struct toperand *next;
    struct str name; /* VAR, FN */
    struct tvalue value;
    const struct template_function *fn;
    bool is_and, is_or; /* evaluated only as far as needed */
    struct tpipe *pipe;
    struct str *fields; /* .a.b behind it */
    size_t n_fields;
};

struct tcommand {
    struct toperand *args;
    size_t n;
    struct tcommand *next;
};

struct tpipe {
    struct str vars[2];
    size_t n_vars;
    bool declares; /* := rather than = */
    struct tcommand *commands;
    int line;
};

struct tnode {
    enum tnode_kind kind;
    struct tnode *next;
    struct str text; /* TEXT; CALL: which */
    struct tpipe *pipe;
    struct tnode *body, *otherwise;
    int line;
};

struct tdefine {
    struct str name;
    struct tnode *body;
    struct tdefine *next;
};

struct template
{
    struct arena arena;
    struct str text;
    struct tnode *root;
    struct tdefine *defines;
    const struct template *library; /* NULL: none */
};

/* template_method.c: what can be called on times, durations and whatever has methods. ERR_FIND: nothing such.
 */
int tv_method(struct template_call *, struct tvalue self, struct str name, struct tvalue *out);
void tv_print_duration(struct buf *, int64_t ns); /* 1h2m3.5s, as Go does */

/* template_builtin.c */
const struct template_functions *template_builtin(void);
int tv_compare(struct template_call *, struct tvalue, struct tvalue, int *out); /* ERR_EXEC: cannot */
