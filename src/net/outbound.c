/* outbound.c - see outbound.h.
 *
 * Every address is looked at as 16 bytes of IPv6. What carries an IPv4 address is first reduced to
 * ::ffff:a.b.c.d, so that one table serves all spellings.
 *
 * Always true: an address of a family that is neither IPv4 nor IPv6 is never allowed. */
#include "net/outbound.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"

struct address {
    uint8_t byte[16];
};

struct network {
    struct address at;
    unsigned bits;
};

struct outbound {
    bool allow_private;
    size_t n;
    struct network networks[];
};

static const struct outbound public_only;

const struct outbound *outbound_public_only(void)
{
    return &public_only;
}

/* ---- addresses ---- */

static bool starts(const struct address *a, const struct address *with, unsigned bits)
{
    size_t whole = bits / 8;
    uint8_t mask = (uint8_t)(0xff00u >> bits % 8);
    if (memcmp(a->byte, with->byte, whole) != 0) return false;
    return bits % 8 == 0 || (a->byte[whole] & mask) == (with->byte[whole] & mask);
}

static struct address mapped(const uint8_t v4[4])
{
    struct address a = { { 0 } };
    a.byte[10] = a.byte[11] = 0xff;
    memcpy(a.byte + 12, v4, 4);
    return a;
}

#define V4(a, b, c, d)                                                                                       \
    {                                                                                                        \
        {                                                                                                    \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                                             \
        }                                                                                                    \
    }

/* Prefixes behind which an IPv4 address stands, and where. */
static const struct {
    struct address at;
    unsigned bits, v4_at;
} carriers[] = {
    { { { 0x00, 0x64, 0xff, 0x9b } }, 96, 12 },             /* NAT64, RFC 6052 */
    { { { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } }, 96, 12 }, /* SIIT, RFC 2765 */
    { { { 0x20, 0x02 } }, 16, 2 },                          /* 6to4, RFC 3056 */
};

static struct address reduced(struct address a)
{
    static const struct address zero = { { 0 } };
    for (size_t i = 0; i < COUNT(carriers); i++)
        if (starts(&a, &carriers[i].at, carriers[i].bits)) return mapped(a.byte + carriers[i].v4_at);
    /* ::a.b.c.d, long deprecated; :: and ::1 are themselves */
    if (starts(&a, &zero, 96) && (a.byte[12] | a.byte[13] | a.byte[14]) != 0) return mapped(a.byte + 12);
    return a;
}

static bool take(const struct sockaddr *s, struct address *out)
{
    if (s->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, s, sizeof in);
        *out = mapped((const uint8_t *)&in.sin_addr);
        return true;
    }
    if (s->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, s, sizeof in6);
    memcpy(out->byte, &in6.sin6_addr, 16);
    return true;
}

/* ---- what is not public: IANA's registries of special-purpose addresses, and where clouds answer ---- */

static const struct {
    struct address at;
    unsigned bits; /* of IPv4: 96 more than usual */
    const char *kind;
} special[] = {
    { V4(0, 0, 0, 0), 96 + 8, "unspecified" },
    { V4(10, 0, 0, 0), 96 + 8, "private" },
    { V4(100, 64, 0, 0), 96 + 10, "shared (carrier NAT)" },
    { V4(127, 0, 0, 0), 96 + 8, "loopback" },
    { V4(168, 63, 129, 16), 96 + 32, "cloud metadata" },
    { V4(169, 254, 0, 0), 96 + 16, "link-local" },
    { V4(172, 16, 0, 0), 96 + 12, "private" },
    { V4(192, 0, 0, 0), 96 + 24, "reserved" },
    { V4(192, 0, 2, 0), 96 + 24, "documentation" },
    { V4(192, 88, 99, 0), 96 + 24, "reserved" },
    { V4(192, 168, 0, 0), 96 + 16, "private" },
    { V4(198, 18, 0, 0), 96 + 15, "benchmarking" },
    { V4(198, 51, 100, 0), 96 + 24, "documentation" },
    { V4(203, 0, 113, 0), 96 + 24, "documentation" },
    { V4(224, 0, 0, 0), 96 + 4, "multicast" },
    { V4(240, 0, 0, 0), 96 + 4, "reserved" },
    { { { 0 } }, 128, "unspecified" },
    { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } }, 128, "loopback" },
    { { { 0xfc } }, 7, "private" },
    { { { 0xfe, 0x80 } }, 10, "link-local" },
    { { { 0xfe, 0xc0 } }, 10, "private" },
    { { { 0xff } }, 8, "multicast" },
    { { { 0x20, 0x01, 0x0d, 0xb8 } }, 32, "documentation" },
    { { { 0x20, 0x01 } }, 23, "reserved" }, /* Teredo and others that carry addresses of their own */
    { { { 0x3f, 0xff } }, 20, "documentation" },
};

static const char *kind_of(const struct address *a)
{
    static const struct address v4 = V4(0, 0, 0, 0), global = { { 0x20 } };
    for (size_t i = 0; i < COUNT(special); i++)
        if (starts(a, &special[i].at, special[i].bits)) return special[i].kind;
    /* of IPv6 only 2000::/3 has ever been handed out */
    return starts(a, &v4, 96) || starts(a, &global, 3) ? NULL : "reserved";
}

const char *outbound_kind(const struct sockaddr *s)
{
    struct address a;
    if (!take(s, &a)) return "unknown";
    a = reduced(a);
    return kind_of(&a);
}

bool outbound_allows(const struct outbound *o, const struct sockaddr *s)
{
    struct address given, a;
    if (!take(s, &given)) return false;
    a = reduced(given);
    if (o->allow_private || kind_of(&a) == NULL) return true;
    for (size_t i = 0; i < o->n; i++)
        if (starts(&a, &o->networks[i].at, o->networks[i].bits) ||
            starts(&given, &o->networks[i].at, o->networks[i].bits))
            return true;
    return false;
}

/* ---- networks ---- */

static bool parse_address(struct str text, struct address *out, unsigned *bits)
{
    char copy[INET6_ADDRSTRLEN + 1];
    uint8_t v4[4];
    if (text.n == 0 || text.n >= sizeof copy) return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    *bits = 128;
    if (inet_pton(AF_INET6, copy, out->byte) == 1) return true;
    *bits = 32;
    if (inet_pton(AF_INET, copy, v4) != 1) return false;
    *out = mapped(v4);
    return true;
}

static bool parse_network(struct str text, struct network *out)
{
    uint64_t length;
    struct str tail, address = str_cut(text, '/', &tail);
    unsigned most;
    if (!parse_address(address, &out->at, &most)) return false;
    length = most;
    if (address.n < text.n && (!str_to_u64(tail, &length) || length > most)) return false;
    out->bits = (unsigned)length + 128 - most;
    return true;
}

int outbound_new(bool allow_private, const struct str *networks, size_t n, struct outbound **out,
                 struct err *e)
{
    if (n > OUTBOUND_NETWORKS_MAX)
        return err_set(e, ERR_LIMIT, "%zu networks; at most %d are allowed", n, OUTBOUND_NETWORKS_MAX);
    struct outbound *o = mem_alloc_zero(sizeof *o + n * sizeof o->networks[0]);
    o->allow_private = allow_private;
    for (size_t i = 0; i < n; i++) {
        if (parse_network(networks[i], &o->networks[i])) continue;
        mem_free(o);
        return err_set(e, ERR_PARSE, "\"%.*s\" is no network such as 10.0.0.0/8 or fd00::/8",
                       STR_ARG(networks[i]));
    }
    o->n = n;
    *out = o;
    return OK;
}

void outbound_free(struct outbound *o)
{
    mem_free(o);
}
