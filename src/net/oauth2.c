/* oauth2.c - see oauth2.h.
 *
 * A table of tokens, least recently used ones replaced. An entry's own lock is held while its token is
 * fetched: others who want the same one wait for it, those who want another do not.
 *
 * Always true: an entry in use (users > 0) is never replaced. */
#include "net/oauth2.h"

#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#define TOKENS_MAX       256
#define TOKEN_BYTES_MAX  16384
#define ANSWER_MAX       65536
#define FAILURE_LASTS_MS 5000
#define EARLY_MS         10000   /* a token that ends sooner than this is asked for anew, as Go does */
#define FOREVER_MS       3600000 /* without expires_in: asked again after an hour */

struct token {
    pthread_mutex_t mu;
    struct hash128 key; /* of the table, as are used and users */
    uint64_t used;
    int users;
    char *type, *text;                       /* mu; NULL: none */
    int64_t until_ms;                        /* mu: monotonic */
    int failed;                              /* mu: OK, or the code of the last failure, until until_ms */
    char why[sizeof((struct err *)0)->text]; /* mu */
};

static pthread_mutex_t table_mu = PTHREAD_MUTEX_INITIALIZER;
static struct token *table[TOKENS_MAX]; /* table_mu. Global: reloads and receivers share what they ask for */
static uint64_t turn;                   /* table_mu */

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* ---- the table ---- */

static struct token *find_or_oldest(struct hash128 key, struct token ***place)
{
    *place = NULL;
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        if (table[i] != NULL && hash128_eq(table[i]->key, key)) return table[i];
        if (table[i] != NULL && table[i]->users > 0) continue;
        if (*place == NULL || (**place != NULL && (table[i] == NULL || table[i]->used < (**place)->used)))
            *place = &table[i];
    }
    return NULL;
}

static void token_free(struct token *t)
{
    if (t == NULL) return;
    pthread_mutex_destroy(&t->mu);
    mem_free(t->type);
    mem_free(t->text);
    mem_free(t);
}

/* NULL: all are in use. */
static struct token *token_take(struct hash128 key)
{
    struct token **place;
    pthread_mutex_lock(&table_mu);
    struct token *t = find_or_oldest(key, &place);
    if (t == NULL && place != NULL) {
        token_free(*place);
        t = *place = mem_alloc_zero(sizeof *t);
        t->key = key;
        pthread_mutex_init(&t->mu, NULL);
    }
    if (t != NULL) {
        t->used = ++turn;
        t->users++;
    }
    pthread_mutex_unlock(&table_mu);
    return t;
}

static void token_give_back(struct token *t)
{
    pthread_mutex_lock(&table_mu);
    t->users--;
    pthread_mutex_unlock(&table_mu);
}

static void hash_text(struct buf *b, const char *s)
{
    buf_printf(b, "%zu:%s", s ? strlen(s) : 0, s ? s : "");
}

static struct hash128 key_of(const struct http_oauth2 *o, const char *secret, const struct outbound *guard)
{
    struct buf b = BUF_INIT(1u << 20);
    const char *const texts[] = { o->client_id,          secret,
                                  o->token_url,          o->scope,
                                  o->proxy_url,          o->no_proxy,
                                  o->tls.use.ca_file,    o->tls.use.cert_file,
                                  o->tls.use.server_name };
    for (size_t i = 0; i < COUNT(texts); i++) hash_text(&b, texts[i]);
    for (size_t i = 0; i < o->n_params; i++) hash_text(&b, o->params[i].p);
    buf_printf(&b, "%d%d", guard != NULL, o->tls.use.insecure_skip_verify);
    struct hash128 h = hash128(b.p, b.n);
    buf_release(&b);
    return h;
}

/* ---- asking ---- */

static void form_escape(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-_.~", c);
        if (c == ' ')
            buf_char(out, '+');
        else if (plain && c != 0)
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void form_pair(struct buf *out, struct str name, struct str value)
{
    if (out->n > 0) buf_char(out, '&');
    form_escape(out, name);
    buf_char(out, '=');
    form_escape(out, value);
}

static const char *form_text(struct arena *a, const char *s)
{
    struct buf b = BUF_INIT(TOKEN_BYTES_MAX);
    form_escape(&b, str_of(s));
    const char *out = arena_str(a, buf_view(&b)).p;
    buf_release(&b);
    return out;
}

/* Servers may take the client's name and secret from a header or from the form, RFC 6749, 2.3.1. */
static int ask(const struct http_oauth2 *o, const char *secret, bool in_form, const struct outbound *guard,
               struct arena *a, struct http_fetched *got, struct err *e)
{
    static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
                                           "Accept: application/json" };
    struct buf form = BUF_INIT(1u << 20);
    form_pair(&form, STR("grant_type"), STR("client_credentials"));
    if (o->scope != NULL) form_pair(&form, STR("scope"), str_of(o->scope));
    if (in_form) form_pair(&form, STR("client_id"), str_of(o->client_id));
    if (in_form) form_pair(&form, STR("client_secret"), str_of(secret));
    for (size_t i = 0; i < o->n_params; i += 2) form_pair(&form, o->params[i], o->params[i + 1]);
    const struct http_fetch f = { .method = "POST",
                                  .url = o->token_url,
                                  .headers = headers,
                                  .n_headers = COUNT(headers),
                                  .body = buf_view(&form),
                                  .user = in_form ? NULL : form_text(a, o->client_id),
                                  .password = in_form ? NULL : form_text(a, secret),
                                  .tls = o->tls.given ? &o->tls.use : NULL,
                                  .proxy_url = o->proxy_url,
                                  .no_proxy = o->no_proxy,
                                  .proxy_from_environment = o->proxy_from_environment,
                                  .outbound = guard,
                                  .timeout_ms = OAUTH2_TIMEOUT_MS,
                                  .max_answer_bytes = ANSWER_MAX };
    int rc = http_fetch_now(&f, got, e);
    if (rc < 0)
        err_set(e, rc, "oauth2: the token's server: %s", got->error[0] ? got->error : "cannot be asked");
    buf_release(&form);
    return rc;
}

static int take_answer(struct token *t, const struct http_fetched *got, struct arena *a, struct err *e)
{
    struct json_reader r;
    struct str key, token = STR(""), type = STR("Bearer");
    double seconds = 0;
    if (got->status != 200)
        return err_set(e, ERR_IO, "oauth2: the token's server answered with HTTP status %ld", got->status);
    json_open(&r, buf_view(&got->body), a);
    if (!json_object(&r)) json_fail(&r, "expected an object");
    while (json_key(&r, &key)) {
        if (str_is(key, "access_token"))
            json_string(&r, &token);
        else if (str_is(key, "token_type") && json_peek(&r) == JSON_STRING)
            json_string(&r, &type);
        else if (str_is(key, "expires_in") && json_peek(&r) == JSON_NUMBER)
            json_double(&r, &seconds);
        else
            json_skip(&r);
    }
    if (json_close(&r, NULL) < 0 || token.n == 0 || token.n > TOKEN_BYTES_MAX)
        return err_set(e, ERR_PARSE, "oauth2: the token's server answered without an access_token");
    mem_free(t->text);
    mem_free(t->type);
    t->text = str_dup(token);
    t->type = str_dup(str_is_nocase(type, "bearer") ? STR("Bearer") : type);
    t->until_ms = now_ms() + (seconds > 0 ? (int64_t)(MIN(seconds, 1e9) * 1000) - EARLY_MS : FOREVER_MS);
    return OK;
}

static void fetch(struct token *t, const struct http_oauth2 *o, const char *secret,
                  const struct outbound *guard, struct arena *a)
{
    struct err e = ERR_INIT;
    struct http_fetched got = { 0 };
    int rc = ask(o, secret, false, guard, a, &got, &e);
    if (rc == OK && (got.status == 400 || got.status == 401)) {
        buf_release(&got.body);
        rc = ask(o, secret, true, guard, a, &got, &e);
    }
    if (rc == OK) rc = take_answer(t, &got, a, &e);
    buf_release(&got.body);
    t->failed = rc;
    if (rc == OK) return;
    t->until_ms = now_ms() + FAILURE_LASTS_MS;
    snprintf(t->why, sizeof t->why, "%s", e.text);
}

int oauth2_token(const struct http_oauth2 *o, const struct outbound *guard, struct arena *a,
                 const char **type, const char **token, struct err *e)
{
    const char *secret = o->client_secret ? o->client_secret : "";
    int rc = http_conf_secret(o->client_secret_file, &secret, a, e);
    if (rc < 0) return rc;
    struct token *t = token_take(key_of(o, secret, guard));
    if (t == NULL) return err_set(e, ERR_LIMIT, "oauth2: more than %d tokens in use at once", TOKENS_MAX);

    pthread_mutex_lock(&t->mu);
    bool fresh = (t->text != NULL || t->failed < 0) && now_ms() < t->until_ms;
    if (!fresh) fetch(t, o, secret, guard, a);
    rc = t->failed;
    if (rc == OK) {
        *type = arena_str(a, str_of(t->type)).p;
        *token = arena_str(a, str_of(t->text)).p;
    } else
        err_set(e, rc, "%s", t->why);
    pthread_mutex_unlock(&t->mu);
    token_give_back(t);
    return rc;
}
