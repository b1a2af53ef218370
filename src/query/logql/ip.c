/* ip.c - see ip.h. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; a set is everything from low to high. */
#include "query/logql/ip.h"

#include <arpa/inet.h>
#include <string.h>

struct ip_set {
    uint8_t low[16], high[16];
};

static bool address(struct str s, uint8_t out[16])
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    char text[INET6_ADDRSTRLEN + 1];
    if (s.n == 0 || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out + 12) == 1 || inet_pton(AF_INET6, text, out) == 1;
}

static bool prefix(struct str s, struct ip_set *out)
{
    struct str bits_text, base = str_cut(s, '/', &bits_text);
    int64_t bits;
    if (!address(base, out->low) || !str_to_i64(bits_text, &bits)) return false;
    bool is_v4 = memchr(base.p, ':', base.n) == NULL;
    if (bits < 0 || bits > (is_v4 ? 32 : 128)) return false;
    if (is_v4) bits += 96;
    memcpy(out->high, out->low, 16);
    for (int64_t i = bits; i < 128; i++) {
        uint8_t bit = (uint8_t)(0x80 >> (i % 8));
        out->low[i / 8] &= (uint8_t)~bit;
        out->high[i / 8] |= bit;
    }
    return true;
}

static bool range(struct str s, struct ip_set *out)
{
    struct str to, from = str_cut(s, '-', &to);
    return address(str_trim(from), out->low) && address(str_trim(to), out->high) &&
           memcmp(out->low, out->high, 16) <= 0;
}

int ip_set_new(struct str text, struct arena *a, struct ip_set **out, struct err *e)
{
    struct ip_set *s = *out = arena_zero(a, sizeof *s);
    bool good;
    if (text.n > 0 && memchr(text.p, '/', text.n))
        good = prefix(text, s);
    else if (text.n > 0 && memchr(text.p, '-', text.n))
        good = range(text, s);
    else if ((good = address(text, s->low)))
        memcpy(s->high, s->low, 16);
    if (good) return OK;
    return err_set(e, ERR_PARSE, "ip: no address, prefix or range: \"%.*s\"",
                   text.n > 100 ? 100 : (int)text.n, text.p ? text.p : "");
}

bool ip_set_has(const struct ip_set *s, struct str text)
{
    uint8_t a[16];
    return address(text, a) && memcmp(a, s->low, 16) >= 0 && memcmp(a, s->high, 16) <= 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The run of address characters at the front of s, without what can end no address. */
static struct str run_of(struct str s, bool v6)
{
    size_t n = 0;
    while (n < s.n && n < INET6_ADDRSTRLEN &&
           (v6 ? is_hex(s.p[n]) || s.p[n] == ':' || s.p[n] == '.'
               : (s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.'))
        n++;
    while (n > 0 && (s.p[n - 1] == '.' || (s.p[n - 1] == ':' && (n < 2 || s.p[n - 2] != ':')))) n--;
    return str_make(s.p, n);
}

bool ip_set_in_line(const struct ip_set *s, struct str line)
{
    bool begins = true; /* an address may begin here: nothing of a word is before it */
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        struct str rest = str_make(line.p + i, line.n - i);
        bool may = begins && (is_hex(c) || c == ':');
        begins = !is_hex(c) && !((c | 0x20) >= 'g' && (c | 0x20) <= 'z') && c != '.' && c != ':';
        if (may && (ip_set_has(s, run_of(rest, false)) || ip_set_has(s, run_of(rest, true)))) return true;
    }
    return false;
}
