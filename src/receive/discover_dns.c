/* discover_dns.c - names asked for their A, AAAA, SRV, MX or NS records, through the system's resolver.
 * Blocking. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>

#undef MIN /* the system's nameser.h brings the same two */
#undef MAX
#include "base/check.h"
#include "base/mem.h"
#include "receive/discover_impl.h"

#define ANSWER_MAX 65536

struct lookup {
    struct discover_source *s;
    struct discover_found *found;
    const char *name;
};

static void add_target(const struct lookup *l, struct str target, const char *host_label, const char *host,
                       int port)
{
    struct arena *a = &l->found->arena;
    struct discover_group *g = discover_found_add(l->found);
    g->targets = arena_array(a, 1, sizeof *g->targets);
    g->targets[g->n_targets++] = arena_str(a, target);
    g->labels = arena_array(a, 3, sizeof *g->labels);
    g->labels[g->n_labels++] = (struct label){ STR("__meta_dns_name"), arena_str(a, str_of(l->name)) };
    if (host_label != NULL)
        g->labels[g->n_labels++] = (struct label){ str_of(host_label), arena_printf(a, "%s.", host) };
    if (port > 0)
        g->labels[g->n_labels++] =
            (struct label){ STR("__meta_dns_srv_record_port"), arena_printf(a, "%d", port) };
}

static void add_host(const struct lookup *l, const char *label, const char *host, int port, bool srv)
{
    char target[NS_MAXDNAME + 16];
    snprintf(target, sizeof target, "%s:%d", host, port);
    add_target(l, str_of(target), label, host, srv ? port : 0);
}

static void add_address(const struct lookup *l, int family, const void *bytes)
{
    char text[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN + 16];
    if (inet_ntop(family, bytes, text, sizeof text) == NULL) return;
    snprintf(target, sizeof target, family == AF_INET6 ? "[%s]:%d" : "%s:%d", text, l->s->conf->dns_port);
    add_target(l, str_of(target), NULL, NULL, 0);
}

static void take_record(const struct lookup *l, ns_msg *m, const ns_rr *rr)
{
    char host[NS_MAXDNAME];
    const u_char *data = ns_rr_rdata(*rr);
    size_t n = ns_rr_rdlen(*rr);
    int type = ns_rr_type(*rr), port = l->s->conf->dns_port;
    size_t skip = type == ns_t_srv ? 6 : type == ns_t_mx ? 2 : 0;
    if (type == ns_t_a && n == 4) return add_address(l, AF_INET, data);
    if (type == ns_t_aaaa && n == 16) return add_address(l, AF_INET6, data);
    if (type != ns_t_srv && type != ns_t_mx && type != ns_t_ns) return;
    if (n <= skip || ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), data + skip, host, sizeof host) < 0)
        return;
    if (type == ns_t_srv) add_host(l, "__meta_dns_srv_record_target", host, data[4] << 8 | data[5], true);
    if (type == ns_t_mx) add_host(l, "__meta_dns_mx_record_target", host, port, false);
    if (type == ns_t_ns) add_host(l, "__meta_dns_ns_record_target", host, port, false);
}

/* OK with no records when the name has none; an error when nobody could tell. */
static int ask_records(const struct lookup *l, int type, struct err *e)
{
    struct __res_state state = { 0 };
    u_char *answer = mem_alloc(ANSWER_MAX);
    int rc = OK, n;
    if (res_ninit(&state) != 0) {
        rc = err_set(e, ERR_IO, "the resolver cannot be set up");
        goto done;
    }
    state.retrans = 2;
    state.retry = 2;
    n = res_nsearch(&state, l->name, ns_c_in, type, answer, ANSWER_MAX);
    ns_msg m;
    if (n < 0 && (state.res_h_errno == HOST_NOT_FOUND || state.res_h_errno == NO_DATA)) goto close;
    if (n < 0 || ns_initparse(answer, MIN(n, ANSWER_MAX), &m) < 0) {
        rc = err_set(e, ERR_IO, "%s: %s", l->name,
                     n < 0 ? hstrerror(state.res_h_errno) : "the answer is not well formed");
        goto close;
    }
    for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&m, ns_s_an, i, &rr) == 0 && (int)ns_rr_type(rr) == type) take_record(l, &m, &rr);
    }
close:
    res_nclose(&state);
done:
    mem_free(answer);
    return rc;
}

/* Through getaddrinfo, which knows /etc/hosts too. */
static int ask_addresses(const struct lookup *l, int family, struct err *e)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *all = NULL;
    int rc = getaddrinfo(l->name, NULL, &hints, &all);
    if (rc == EAI_NONAME || rc == EAI_NODATA) return OK;
    if (rc != 0) return err_set(e, ERR_IO, "%s: %s", l->name, gai_strerror(rc));
    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next) {
        const void *bytes =
            family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr
                : (const void *)&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr;
        add_address(l, family, bytes);
    }
    freeaddrinfo(all);
    return OK;
}

static int ask(const struct lookup *l, struct err *e)
{
    const char *type = l->s->conf->dns_type;
    if (strcmp(type, "A") == 0) return ask_addresses(l, AF_INET, e);
    if (strcmp(type, "AAAA") == 0) return ask_addresses(l, AF_INET6, e);
    return ask_records(l,
                       strcmp(type, "SRV") == 0  ? ns_t_srv
                       : strcmp(type, "MX") == 0 ? ns_t_mx
                                                 : ns_t_ns,
                       e);
}

void discover_dns_ask(void *arg)
{
    struct discover_source *s = arg;
    struct discover_found *found = discover_found_new();
    struct err e = ERR_INIT;
    int rc = OK;
    for (size_t i = 0; i < s->conf->n_names && rc == OK; i++)
        rc = ask(&(struct lookup){ s, found, s->conf->names[i] }, &e);
    if (rc == OK) {
        discover_good(s, found);
    } else {
        discover_found_free(found);
        discover_bad(s, "dns", e.text);
    }
    discover_unref(s);
}
