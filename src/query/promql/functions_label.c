/* functions_label.c - label_replace and label_join. Series that become equal are joined where their samples
 * do not meet. */
#include "base/check.h"
#include "query/promql/functions_impl.h"

static int check_name(struct str name, const char *function, struct err *e)
{
    if (name.n > 0 && str_utf8_valid(name)) return OK;
    return err_set(e, ERR_EXEC, "invalid destination label name in %s(): %.*s", function, STR_ARG(name));
}

/* A name that is written anew is not dropped any more. Labels grow with what the query says, so each is
 * charged. */
static int set_label(struct eval *ev, struct mseries *s, const struct node *call, const struct buf *text,
                     struct err *e)
{
    struct str name = node_string(call->args[1]);
    if (text->full)
        return err_set(e, ERR_LIMIT, "label value longer than %u bytes in %s()", LABEL_VALUE_MAX,
                       call->fn->name);
    s->labels = labels_set(&ev->q->arena, s->labels, name, arena_str(&ev->q->arena, buf_view(text)));
    if (str_is(name, LABEL_NAME)) s->drop_name = false;
    return eval_check(ev, e);
}

static int replace_in(struct eval *ev, struct mseries *s, const struct node *call, const struct regex *re,
                      struct buf *text, struct err *e)
{
    struct str groups[REGEX_CAPTURES_MAX];
    size_t n = MIN((size_t)REGEX_CAPTURES_MAX, regex_groups(re) + 1);
    struct str source = labels_get_str(s->labels, node_string(call->args[3]));

    if (source.p == NULL) source = STR("");
    if (!regex_capture(re, source, groups, n)) return OK;
    buf_clear(text);
    regex_expand(re, source, groups, n, node_string(call->args[2]), text);
    return set_label(ev, s, call, text, e);
}

int call_label_replace(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct buf text = BUF_INIT(LABEL_VALUE_MAX);
    struct regex *re = NULL;
    struct err why = ERR_INIT;
    int rc;

    if ((rc = check_name(node_string(call->args[1]), "label_replace", e)) < 0) return rc;
    if (regex_new(node_string(call->args[4]), &re, &why) < 0)
        return err_set(e, ERR_EXEC, "invalid regular expression in label_replace(): %s", why.text);
    rc = eval_node(ev, call->args[0], out, e);
    for (size_t s = 0; rc == OK && s < out->n; s++) rc = replace_in(ev, &out->at[s], call, re, &text, e);
    if (rc == OK) rc = matrix_merge(ev->q, out, e);
    regex_free(re);
    buf_release(&text);
    return rc;
}

static int join_in(struct eval *ev, struct mseries *s, const struct node *call, struct buf *text,
                   struct err *e)
{
    buf_clear(text);
    for (size_t i = 3; i < call->n_args; i++) {
        if (i > 3) buf_str(text, node_string(call->args[2]));
        buf_str(text, labels_get_str(s->labels, node_string(call->args[i])));
    }
    return set_label(ev, s, call, text, e);
}

int call_label_join(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct buf text = BUF_INIT(LABEL_VALUE_MAX);
    int rc;

    if ((rc = check_name(node_string(call->args[1]), "label_join", e)) < 0) return rc;
    for (size_t i = 3; i < call->n_args; i++)
        if (node_string(call->args[i]).n == 0)
            return err_set(e, ERR_EXEC, "invalid source label name in label_join(): ");
    rc = eval_node(ev, call->args[0], out, e);
    for (size_t s = 0; rc == OK && s < out->n; s++) rc = join_in(ev, &out->at[s], call, &text, e);
    if (rc == OK) rc = matrix_merge(ev->q, out, e);
    buf_release(&text);
    return rc;
}
