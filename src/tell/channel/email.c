/* email.c - mail: multipart/alternative of text and page, one thread for each group.
 *
 * STARTTLS is asked for unless require_tls is false; port 465 is TLS from its first byte. A receiver that
 * brings neither html nor text gets both of ours. Bcc is a header like any other here: who is told stands in
 * `to`. */
#include <gnutls/crypto.h>
#include <stdio.h>

#include "base/check.h"
#include "net/outbound.h"
#include "net/smtp.h"
#include "query/template_time.h"
#include "tell/channel/channel_impl.h"
#include "tell/channel/mime.h"

struct header {
    const char *name, *text;
};

struct email {
    const struct outbound *outbound;
    struct http_tls_conf tls;
    const char *to, *from, *hello, *host, *port, *user, *identity, *html, *text;
    struct secret password, cram_secret;
    struct header *headers;
    size_t n_headers;
    bool require_tls, implicit_tls, threads;
};

/* ---- configuration ---- */

/* The receiver's own, or else global's smtp_KEY. */
static void read_own_or_global(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                               const char *key, const char **out)
{
    const char *global_key = arena_printf(r->arena, "smtp_%s", key).p;
    if (yaml_get(map, key) != NULL)
        channel_read_template(r, map, key, out);
    else if (d->global != NULL)
        read_cstr(r, d->global, global_key, out);
}

static void read_flag_or_global(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                                const char *key, bool *out)
{
    const char *global_key = arena_printf(r->arena, "smtp_%s", key).p;
    if (yaml_get(map, key) != NULL)
        read_flag(r, map, key, out);
    else if (d->global != NULL)
        read_flag(r, d->global, global_key, out);
}

static void read_smarthost(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                           struct email *m)
{
    const char *both = NULL;
    int64_t port;
    read_own_or_global(r, map, d, "smarthost", &both);
    if (r->rc < 0) return;
    if (both == NULL)
        return read_fail(r, map->line, "smarthost is missing, here and in global (smtp_smarthost)");
    const char *colon = strrchr(both, ':');
    struct str host = str_make(both, colon ? (size_t)(colon - both) : 0);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host = str_make(host.p + 1, host.n - 2);
    if (colon == NULL || host.n == 0 || !str_to_i64(str_of(colon + 1), &port) || port < 1 || port > 65535)
        return read_fail(r, map->line, "smarthost: expected host:port");
    m->host = arena_str(r->arena, host).p;
    m->port = colon + 1;
    m->implicit_tls = port == 465;
}

static void read_headers(struct reader *r, struct yaml *map, struct email *m)
{
    struct yaml *headers = read_map(r, map, "headers");
    size_t n = headers ? headers->n : 0;
    m->headers = arena_zero(r->arena, (n + 1) * sizeof *m->headers);
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        struct header *h = &m->headers[m->n_headers++];
        h->name = arena_str(r->arena, headers->keys[i]).p;
        h->text = "";
        channel_read_template(r, headers, h->name, &h->text);
        if (!mime_is_header_name(headers->keys[i]))
            read_fail(r, headers->key_lines[i], "headers: \"%s\" is no name of a header", h->name);
        for (size_t k = 0; k + 1 < m->n_headers; k++)
            if (str_is_nocase(headers->keys[i], m->headers[k].name))
                read_fail(r, headers->key_lines[i], "headers: \"%s\" is given twice", h->name);
    }
}

static const char *header_given(const struct email *m, const char *name)
{
    for (size_t i = 0; i < m->n_headers; i++)
        if (str_is_nocase(str_of(name), m->headers[i].name)) return m->headers[i].text;
    return NULL;
}

static void read_threading(struct reader *r, struct yaml *map, struct email *m)
{
    struct yaml *threading = read_map(r, map, "threading");
    m->threads = header_given(m, "References") == NULL && header_given(m, "In-Reply-To") == NULL;
    if (threading == NULL) return;
    bool wanted = m->threads;
    read_flag(r, threading, "enabled", &wanted);
    read_accept(threading, "thread_by_date");
    if (wanted && !m->threads)
        read_fail(r, threading->line, "threading: conflicts with a References or In-Reply-To header");
    m->threads = wanted;
}

static void read_bodies(struct reader *r, struct yaml *map, struct email *m)
{
    bool own = yaml_get(map, "html") != NULL || yaml_get(map, "text") != NULL;
    m->html = "{{ template \"email.default.html\" . }}";
    m->text = own ? "" : "{{ template \"email.default.text\" . }}";
    channel_read_template(r, map, "html", &m->html);
    channel_read_template(r, map, "text", &m->text);
}

static void read_tls(struct reader *r, struct yaml *map, const struct channel_defaults *d, struct email *m)
{
    struct yaml *tls = read_map(r, map, "tls_config");
    if (tls == NULL && d->global != NULL) tls = read_map(r, d->global, "smtp_tls_config");
    http_conf_read_tls(r, tls, &m->tls);
    m->require_tls = true;
    read_flag_or_global(r, map, d, "require_tls", &m->require_tls);
    read_flag_or_global(r, map, d, "force_implicit_tls", &m->implicit_tls);
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct email *m = arena_zero(a, sizeof *m);
    struct reader r;
    channel_reader(&r, d, a, e);
    m->outbound = d->outbound ? d->outbound : outbound_public_only();
    m->hello = "localhost";
    channel_read_template(&r, map, "to", &m->to);
    read_own_or_global(&r, map, d, "from", &m->from);
    read_own_or_global(&r, map, d, "hello", &m->hello);
    read_own_or_global(&r, map, d, "auth_username", &m->user);
    read_own_or_global(&r, map, d, "auth_identity", &m->identity);
    channel_read_secret(&r, map, "auth_password", d, "smtp_auth_password", &m->password);
    channel_read_secret(&r, map, "auth_secret", d, "smtp_auth_secret", &m->cram_secret);
    read_smarthost(&r, map, d, m);
    read_tls(&r, map, d, m);
    read_headers(&r, map, m);
    read_threading(&r, map, m);
    read_bodies(&r, map, m);
    if (m->to == NULL || *m->to == 0) read_fail(&r, map->line, "to is missing");
    if (m->from == NULL || *m->from == 0)
        read_fail(&r, map->line, "from is missing, here and in global (smtp_from)");
    *conf = m;
    return r.rc;
}

/* ---- the message ---- */

static struct str random_hex(struct arena *a)
{
    unsigned char bytes[16];
    char *out = arena_alloc(a, 2 * sizeof bytes + 1);
    check(gnutls_rnd(GNUTLS_RND_NONCE, bytes, sizeof bytes) == 0);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return str_make(out, 2 * sizeof bytes);
}

static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');
    return at && at[1] ? at + 1 : "localhost";
}

static void put_own_headers(struct channel_send *s, const struct email *m, struct str from, struct str to)
{
    struct buf *b = &s->body;
    const char *subject = header_given(m, "Subject");
    if (header_given(m, "From") == NULL) mime_address_header(b, "From", from);
    if (header_given(m, "To") == NULL) mime_address_header(b, "To", to);
    if (subject == NULL)
        mime_header(b, "Subject", channel_text(s, "{{ template \"email.default.subject\" . }}"));
    for (size_t i = 0; i < m->n_headers; i++) {
        const char *name = m->headers[i].name;
        struct str value = channel_text(s, m->headers[i].text);
        bool addresses = false;
        static const char *const lists[] = { "From", "To", "Cc", "Bcc", "Reply-To", "Sender" };
        for (size_t k = 0; k < COUNT(lists); k++) addresses |= str_is_nocase(str_of(name), lists[k]);
        (addresses ? mime_address_header : mime_header)(b, name, value);
    }
}

static void put_headers(struct channel_send *s, const struct email *m, const char *sender,
                        struct str boundary)
{
    struct buf *b = &s->body;
    const char *domain = domain_of(sender);
    struct str id = random_hex(&s->arena), group = channel_sha256(&s->arena, s->n->group_key);
    buf_cs(b, "Date: ");
    time_format(b, STR("Mon, 02 Jan 2006 15:04:05 -0700"), s->n->now_ms * 1000000, 0);
    buf_cs(b, "\r\n");
    if (header_given(m, "Message-Id") == NULL)
        buf_printf(b, "Message-ID: <%.*s@%s>\r\n", STR_ARG(id), domain);
    if (m->threads)
        buf_printf(b, "References: <%.*s@%s>\r\nIn-Reply-To: <%.*s@%s>\r\n", 32, group.p, domain, 32, group.p,
                   domain);
    buf_printf(b, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=%.*s\r\n\r\n",
               STR_ARG(boundary));
}

static void put_part(struct channel_send *s, struct str boundary, const char *type, struct str text)
{
    if (text.n == 0) return;
    buf_printf(
        &s->body,
        "--%.*s\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: %s; charset=UTF-8\r\n\r\n",
        STR_ARG(boundary), type);
    mime_quoted(&s->body, text);
    buf_cs(&s->body, "\r\n");
}

static void put_message(struct channel_send *s, const struct email *m, struct str from, struct str to,
                        const char *sender)
{
    struct str boundary = random_hex(&s->arena);
    put_own_headers(s, m, from, to);
    put_headers(s, m, sender, boundary);
    put_part(s, boundary, "text/plain", channel_text(s, m->text));
    put_part(s, boundary, "text/html", channel_html(s, m->html)); /* the best comes last, RFC 2046, 5.1.4 */
    buf_printf(&s->body, "--%.*s--\r\n", STR_ARG(boundary));
    if (s->body.full) channel_fail(s, CHANNEL_FAILED, "the message is too large");
}

/* ---- sending ---- */

static void deliver(struct channel_send *s, const struct email *m, struct smtp_mail *mail)
{
    struct err e = ERR_INIT;
    mail->host = m->host;
    mail->port = m->port;
    mail->security = m->implicit_tls ? SMTP_TLS : m->require_tls ? SMTP_STARTTLS : SMTP_PLAIN;
    mail->tls = m->tls.given ? &m->tls.use : NULL;
    mail->hello = channel_text(s, m->hello).p;
    mail->user = m->user && *m->user ? m->user : NULL;
    mail->password = channel_secret(s, &m->password);
    mail->secret = secret_is_given(&m->cram_secret) ? channel_secret(s, &m->cram_secret) : NULL;
    mail->identity = m->identity;
    mail->message = buf_view(&s->body);
    mail->outbound = m->outbound;
    mail->timeout_ms = (unsigned)MIN(MAX(s->n->timeout_ms, 1), 86400000);
    if (s->failed) return;
    int rc = smtp_send_now(mail, &s->result->status, &e);
    bool final = rc == ERR_RANGE || s->result->status / 100 == 5;
    if (rc < 0) channel_fail(s, final ? CHANNEL_FAILED : CHANNEL_RETRY, "%s", e.text);
}

static void send_mail(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct email *m = conf;
    struct channel_send s;
    struct smtp_mail mail = { 0 };
    struct err e = ERR_INIT;
    const char **from = NULL, **to = NULL;
    size_t n_from = 0;
    channel_begin(&s, n, result);
    struct str from_text = channel_text(&s, m->from), to_text = channel_text(&s, m->to);
    if (mime_addresses(from_text, &s.arena, &from, &n_from, &e) < 0)
        channel_fail(&s, CHANNEL_FAILED, "from: %s", e.text);
    else if (n_from != 1)
        channel_fail(&s, CHANNEL_FAILED, "from: expected one mail address");
    else if (mime_addresses(to_text, &s.arena, &to, &mail.n_to, &e) < 0)
        channel_fail(&s, CHANNEL_FAILED, "to: %s", e.text);
    else {
        mail.from = from[0];
        mail.to = to;
        put_message(&s, m, from_text, to_text, from[0]);
        deliver(&s, m, &mail);
    }
    channel_end(&s);
}

const struct channel_kind channel_email = { "email_configs", "email", false, read_conf, send_mail };
