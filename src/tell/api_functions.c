/* api_functions.c - GET /api/v1/functions: the words of PromQL as the parser's own tables have them, for
 * editors, completion and docs.
 *
 *     {"functions":[{"name","signature","args":[{"name","type"}],"optional","repeats","returns","experimental","help"}],
 *      "aggregators":[{"name","syntax","experimental","help"}], "keywords":[...], "modifiers":[...]}
 */
#include "base/json.h"
#include "query/promql/functions.h"
#include "tell/handlers.h"
#include "tell/respond.h"

static void put_args(struct json_writer *w, const struct promql_function *fn)
{
    struct str rest = fn->params ? str_of(fn->params) : STR("");

    json_put_key(w, STR("args"));
    json_begin_array(w);
    for (int i = 0; i < fn->n_args; i++) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ' ') n++;
        json_begin_object(w);
        json_kv_string(w, "name", (struct str){ rest.p, n });
        json_kv_cs(w, "type", promql_type_name(fn->args[i]));
        json_end_object(w);
        rest = (struct str){ rest.p + n + (n < rest.n), rest.n - n - (n < rest.n) };
    }
    json_end_array(w);
}

static void put_function(struct json_writer *w, const struct promql_function *fn)
{
    struct buf signature = BUF_INIT(1024);

    promql_signature(&signature, fn);
    json_begin_object(w);
    json_kv_cs(w, "name", fn->name);
    json_kv_string(w, "signature", buf_view(&signature));
    put_args(w, fn);
    json_kv_i64(w, "optional", fn->variadic > 0 ? fn->variadic : 0); /* so many of the last arguments */
    json_kv_bool(w, "repeats", fn->variadic < 0);                    /* the last argument */
    json_kv_cs(w, "returns", promql_type_name(fn->returns));
    json_kv_bool(w, "experimental", fn->experimental);
    json_kv_cs(w, "help", fn->help);
    json_end_object(w);
    buf_release(&signature);
}

static void put_words(struct json_writer *w, const char *key, enum promql_word_kind kind)
{
    size_t n;
    const struct promql_word *words = promql_words(&n);

    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        if (words[i].kind != kind) continue;
        json_begin_object(w);
        json_kv_cs(w, "name", words[i].name);
        json_kv_cs(w, "syntax", words[i].syntax);
        json_kv_bool(w, "experimental", words[i].experimental);
        json_kv_cs(w, "help", words[i].help);
        json_end_object(w);
    }
    json_end_array(w);
}

void handle_functions(struct http_exchange *x, void *ctx)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    size_t n;
    const struct promql_function *all = promql_functions(&n);

    (void)ctx;
    respond_begin(&out);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("functions"));
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) put_function(&w, &all[i]);
    json_end_array(&w);
    put_words(&w, "aggregators", PROMQL_AGGREGATOR);
    put_words(&w, "keywords", PROMQL_KEYWORD);
    put_words(&w, "modifiers", PROMQL_MODIFIER);
    json_end_object(&w);
    respond_data(x, &out);
}
