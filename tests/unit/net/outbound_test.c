#include "unit/test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/http_client.h"
#include "net/outbound.h"

/* ---- addresses ---- */

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage s = { 0 };
    struct sockaddr_in *in = (struct sockaddr_in *)&s;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        in->sin_family = AF_INET;
    else {
        EXPECT_INT(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
    }
    return s;
}

static bool allows(const struct outbound *o, const char *text)
{
    struct sockaddr_storage s = address(text);
    return outbound_allows(o, (const struct sockaddr *)&s);
}

TEST(public_addresses_are_allowed_and_the_edges_of_special_networks_are_exact)
{
    static const char *const open[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",
        "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
        "126.255.255.255", "128.0.0.0",       "169.253.255.255",
        "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
        "192.0.1.0",       "192.167.255.255", "192.169.0.0",
        "198.17.255.255",  "198.20.0.0",      "223.255.255.255",
        "168.63.129.15",   "2606:4700::1111", "2001:4860:4860::8888",
        "2a00::1",         "::ffff:8.8.8.8",  "64:ff9b::808:808",
        "2002:808:808::1",
    };
    for (size_t i = 0; i < COUNT(open); i++)
        if (!allows(outbound_public_only(), open[i])) fail_msg("%s", open[i]);
}

TEST(special_addresses_are_refused_and_named)
{
    static const struct {
        const char *text, *kind;
    } shut[] = {
        { "127.0.0.1", "loopback" },
        { "127.255.255.254", "loopback" },
        { "::1", "loopback" },
        { "::ffff:127.0.0.1", "loopback" },
        { "::127.0.0.1", "loopback" },
        { "64:ff9b::7f00:1", "loopback" },
        { "2002:7f00:1::", "loopback" },
        { "0.0.0.0", "unspecified" },
        { "::", "unspecified" },
        { "10.0.0.1", "private" },
        { "172.31.255.255", "private" },
        { "192.168.0.1", "private" },
        { "fd12::1", "private" },
        { "fec0::1", "private" },
        { "169.254.169.254", "link-local" },
        { "fe80::1", "link-local" },
        { "fd00:ec2::254", "private" },
        { "64:ff9b::a9fe:a9fe", "link-local" },
        { "100.100.100.200", "shared (carrier NAT)" },
        { "168.63.129.16", "cloud metadata" },
        { "224.0.0.1", "multicast" },
        { "ff02::1", "multicast" },
        { "255.255.255.255", "reserved" },
        { "240.0.0.1", "reserved" },
        { "2001::1", "reserved" },
        { "2001:db8::1", "documentation" },
        { "64:ff9b:1::1", "reserved" },
        { "4000::1", "reserved" },
        { "100::1", "reserved" },
        { "::ffff:0:10.0.0.1", "private" },
    };
    for (size_t i = 0; i < COUNT(shut); i++) {
        struct sockaddr_storage s = address(shut[i].text);
        const char *kind = outbound_kind((const struct sockaddr *)&s);
        if (kind == NULL || strcmp(kind, shut[i].kind) != 0)
            fail_msg("%s is %s", shut[i].text, kind ? kind : "public");
        EXPECT(!outbound_allows(outbound_public_only(), (const struct sockaddr *)&s));
    }
}

TEST(networks_on_the_list_are_reached_however_they_are_spelled)
{
    const struct str nets[] = { STR("10.1.0.0/16"), STR("192.168.1.5"), STR("fd00::/8"),
                                STR("127.0.0.0/31") };
    struct outbound *o;
    EXPECT_INT(outbound_new(false, nets, COUNT(nets), &o, NULL), OK);
    EXPECT(allows(o, "10.1.255.255") && allows(o, "::ffff:10.1.0.1") && allows(o, "64:ff9b::a01:1"));
    EXPECT(allows(o, "192.168.1.5") && allows(o, "fd00::7") && allows(o, "127.0.0.1"));
    EXPECT(!allows(o, "10.2.0.0") && !allows(o, "192.168.1.4") && !allows(o, "fc00::1"));
    EXPECT(!allows(o, "127.0.0.2") && !allows(o, "::1") && allows(o, "9.9.9.9"));
    outbound_free(o);

    EXPECT_INT(outbound_new(true, NULL, 0, &o, NULL), OK);
    EXPECT(allows(o, "127.0.0.1") && allows(o, "fe80::1") && allows(o, "169.254.169.254"));
    outbound_free(o);
}

TEST(what_is_no_network_is_an_error_that_names_it)
{
    static const char *const bad[] = { "",
                                       "/8",
                                       "10.0.0.0/33",
                                       "10.0.0.0/",
                                       "10.0.0.0/x",
                                       "10.0.0/8",
                                       "fd00::/129",
                                       "example.com",
                                       "10.0.0.0/-1",
                                       "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        struct str net = str_of(bad[i]);
        struct outbound *o;
        EXPECT_INT(outbound_new(false, &net, 1, &o, &e), ERR_PARSE);
        EXPECT(strstr(e.text, bad[i]) != NULL);
    }
    static struct str many[OUTBOUND_NETWORKS_MAX + 1];
    struct outbound *o;
    EXPECT_INT(outbound_new(false, many, COUNT(many), &o, NULL), ERR_LIMIT);
}

TEST(a_family_that_is_no_internet_is_never_allowed)
{
    struct sockaddr s = { .sa_family = AF_UNIX };
    struct outbound *o;
    EXPECT_INT(outbound_new(true, NULL, 0, &o, NULL), OK);
    EXPECT(!outbound_allows(o, &s));
    outbound_free(o);
}

/* ---- a resolver that lies: libcurl asks this one ---- */

static struct addrinfo *answer_of(const char *address_text, const struct addrinfo *hints,
                                  struct addrinfo *next)
{
    struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_storage));
    struct sockaddr_storage s = address(address_text);
    a->ai_family = s.ss_family;
    a->ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    a->ai_addrlen = s.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    a->ai_addr = (struct sockaddr *)(a + 1);
    memcpy(a->ai_addr, &s, sizeof s);
    a->ai_next = next;
    return a;
}

static _Atomic int asked;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name == NULL || strstr(name, ".test") == NULL) return real(name, service, hints, out);
    if (hints && hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    asked++;
    *out = answer_of(strstr(name, "v6")      ? "::1"
                     : strstr(name, "cloud") ? "169.254.169.254"
                                             : "127.0.0.1",
                     hints, NULL);
    if (strstr(name, "both")) *out = answer_of("10.0.0.1", hints, *out);
    return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
    void (*real)(struct addrinfo *);
    *(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
    if (a != NULL && (char *)a->ai_addr != (char *)(a + 1))
        real(a);
    else
        for (struct addrinfo *next; a != NULL; a = next) {
            next = a->ai_next;
            free(a);
        }
}

/* ---- reliability, S7: 200 ways to ask for what is not ours to ask, no connection made ---- */

static int listener4, listener6;
static unsigned port;

static int listen_at(const char *where, unsigned at)
{
    struct sockaddr_storage s = address(where);
    bool v6 = s.ss_family == AF_INET6;
    int on = 1, fd = socket(s.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (v6)
        ((struct sockaddr_in6 *)&s)->sin6_port = htons((uint16_t)at);
    else
        ((struct sockaddr_in *)&s)->sin_port = htons((uint16_t)at);
    if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&s, v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) == 0 &&
        listen(fd, 64) == 0)
        return fd;
    close(fd);
    return -1;
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    listener4 = listen_at("0.0.0.0", 0);
    if (listener4 < 0 || getsockname(listener4, (struct sockaddr *)&in, &n) < 0) return -1;
    port = ntohs(in.sin_port);
    listener6 = listen_at("::", port); /* -1 where there is no IPv6 */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(listener4);
    if (listener6 >= 0) close(listener6);
    return 0;
}

static bool was_connected(int fd)
{
    int got = fd < 0 ? -1 : accept(fd, NULL, NULL);
    if (got >= 0) close(got);
    return got >= 0;
}

/* Every host here is our own listener, or would be if the packet were sent. */
static const char *const hosts[] = {
    /* IPv4 loopback: dotted, decimal, octal, hexadecimal, short, mixed, padded */
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "127.1.1",
    "127.255.255.254",
    "2130706433",
    "2130706434",
    "0x7f000001",
    "0x7F000001",
    "0x7f.1",
    "0x7f.0.1",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.1",
    "0177.0.1",
    "00177.0.0.1",
    "0000177.0.0.1",
    "017700000001",
    "0017700000001",
    "127.0.0.01",
    "127.0.0.0x1",
    "127.00.00.01",
    "127.0x0.0.1",
    "0177.0x0.00.1",
    "127.0.0.1.",
    "127.1.",
    "2130706433.",
    "0x7f000001.",
    /* this host and the unspecified address */
    "0",
    "0.0.0.0",
    "0.1",
    "0.0.1",
    "0x0",
    "00",
    "000",
    "0.",
    "0x00000000",
    "0.0.0.1",
    /* names */
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "foo.localhost",
    "a.b.localhost",
    /* IPv6 loopback and unspecified */
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::0001]",
    "[0:0::1]",
    "[::0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0.0.0.1]",
    "[0:0:0:0:0:0:0:0]",
    "[::0]",
    "[::0.0.0.0]",
    /* IPv4 in IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo */
    "[::ffff:127.0.0.1]",
    "[::FFFF:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:7f00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[::ffff:127.1.2.3]",
    "[::ffff:0.0.0.0]",
    "[::ffff:0:127.0.0.1]",
    "[::ffff:0:7f00:1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:0:0:0:0:7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:ffff::1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2002:7f00:1:1:1:1:1:1]",
    "[2001:0:7f00:1::]",
    "[2001::80ff:fffe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
    "[::ffff:192.168.0.1]",
    "[::ffff:c0a8:1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2002:a00:1::]",
    "[2002:c0a8:1::1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::c0a8:101]",
    "[::10.0.0.1]",
    /* private */
    "10.0.0.1",
    "10.255.255.255",
    "10.1",
    "167772161",
    "0xa000001",
    "0x0a.1",
    "012.0.0.1",
    "012.1",
    "172.16.0.1",
    "172.31.255.255",
    "172.16.1",
    "2886729729",
    "0xac100001",
    "0254.020.0.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.168.1",
    "3232235521",
    "0xc0a80001",
    "0300.0250.0.1",
    "0xc0.0xa8.0.1",
    "192.0250.1",
    "100.64.0.1",
    "100.127.255.255",
    "100.64.1",
    "1681915905",
    "[fc00::1]",
    "[fd00::1]",
    "[fdff:ffff::1]",
    "[FD00::1]",
    "[fec0::1]",
    /* link-local and the metadata services of clouds */
    "169.254.169.254",
    "169.254.1",
    "169.254.43518",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "025177524776",
    "169.0xfe.0251.254",
    "169.254.169.254.",
    "169.254.170.2",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0xa83f8110",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::a9fe:a9fe]",
    "[febf::1]",
    "[fe80:0:0:0:0:0:0:1]",
    /* multicast, broadcast, reserved, documentation, benchmarking */
    "224.0.0.1",
    "239.255.255.255",
    "0xe0000001",
    "3758096385",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    "240.0.0.1",
    "0377.0377.0377.0377",
    "037777777777",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "198.19.255.255",
    "192.0.0.1",
    "192.88.99.1",
    "0.255.255.255",
    "[ff02::1]",
    "[ff0e::1]",
    "[ff00::]",
    "[2001:db8::1]",
    "[2001:10::1]",
    "[100::1]",
    "[4000::1]",
    "[e000::1]",
    /* other digits and dots, which IDN makes plain ones */
    "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", /* fullwidth 127 */
    "\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1", /* circled 127 */
    "127\xe3\x80\x82"
    "0\xe3\x80\x82"
    "0\xe3\x80\x82"
    "1", /* ideographic full stops */
    "127\xef\xbc\x8e"
    "0\xef\xbc\x8e"
    "0\xef\xbc\x8e"
    "1", /* fullwidth full stops */
    "127\xef\xbd\xa1"
    "0\xef\xbd\xa1"
    "0\xef\xbd\xa1"
    "1",                    /* halfwidth ideographic full stops */
    "\xe2\x93\x9bocalhost", /* a circled l */
    /* escapes, and somebody else's name in front */
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "127.0.0.%31",
    "loc%61lhost",
    "example.com@127.0.0.1",
    "example.com:80@127.0.0.1",
    "example.com@2130706433",
    "example.com@[::1]",
    "8.8.8.8@0x7f.1",
    "user:pass@localhost",
    "example.com%2f@127.0.0.1",
    "example.com\\\\@127.0.0.1",
    /* what no number of an address may be, and what some parsers wrap around */
    "127.0.0.257",
    "256.256.256.256",
    "4294967297",
    "0x17f000001",
    "127.0.0.1.1",
    "[::1%lo]",
    "[::1%25lo]",
    "[fe80::1%25lo]",
    "[::ffff:127.0.0.257]",
    "1.2.3.4.127.0.0.1.nip.invalid",
    "127.0.0.1:80@localhost",
    "0x7f.0.0.0x1",
    "[0:0:0:0:0:FFFF:7F00:0001]",
    "[2002:7f00:0001:0:0:0:0:0]",
    /* names that lead there */
    "rebind.test",
    "v6.rebind.test",
    "both.rebind.test",
    "cloud.test",
    "example.com.test",
    "REBIND.TEST.",
};

TEST(two_hundred_spellings_of_places_that_are_not_public_make_no_connection)
{
    char url[256];
    assert_true(COUNT(hosts) >= 200);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct http_fetched got;
        struct err e = ERR_INIT;
        snprintf(url, sizeof url, "http://%s:%u/latest/meta-data/", hosts[i], port);
        const struct http_fetch f = { .url = url, .outbound = outbound_public_only(), .timeout_ms = 5000 };
        int rc = http_fetch_now(&f, &got, &e);
        if (rc == OK) fail_msg("%s was reached", hosts[i]);
        if (was_connected(listener4) || was_connected(listener6)) fail_msg("%s was connected to", hosts[i]);
        buf_release(&got.body);
    }
    EXPECT(asked >= 5); /* the lying resolver was in use */
}

TEST(the_same_listener_is_reached_when_private_addresses_are_allowed)
{
    struct http_fetched got;
    struct outbound *o;
    char url[64];
    EXPECT_INT(outbound_new(true, NULL, 0, &o, NULL), OK);
    snprintf(url, sizeof url, "http://0x7f.1:%u/", port);
    const struct http_fetch f = { .url = url, .outbound = o, .timeout_ms = 200 };
    EXPECT_INT(http_fetch_now(&f, &got, NULL),
               ERR_TIMEOUT); /* nobody answers there, but it was let through */
    EXPECT(was_connected(listener4));
    buf_release(&got.body);
    outbound_free(o);
}

/* A listener that accepts and sends one answer, for a proxy and a redirect. */
TEST(a_proxy_is_judged_too_and_is_not_asked_for_a_literal_address)
{
    struct http_fetched got;
    struct outbound *o;
    char proxy[64];
    struct err e = ERR_INIT;
    const struct str nets[] = { STR("127.0.0.0/8") };
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", port);

    struct http_fetch f = { .url = "http://example.com/",
                            .proxy_url = proxy,
                            .timeout_ms = 2000,
                            .outbound = outbound_public_only() };
    EXPECT_INT(http_fetch_now(&f, &got, &e), ERR_RANGE);
    EXPECT(strstr(e.text, "127.0.0.1 is loopback") != NULL);

    EXPECT_INT(outbound_new(false, nets, 1, &o, NULL), OK);
    f.outbound = o;
    f.url = "http://10.0.0.1/";
    EXPECT_INT(http_fetch_now(&f, &got, &e), ERR_RANGE);
    f.url = "http://0xa9fea9fe/";
    EXPECT_INT(http_fetch_now(&f, &got, &e), ERR_RANGE);
    EXPECT(!was_connected(listener4));
    outbound_free(o);
}

static void remember(struct http_fetched *got, void *ctx)
{
    *(volatile int *)ctx = got->rc;
}

TEST(the_client_of_many_transfers_is_guarded_as_well)
{
    volatile int rc = 1;
    char url[64];
    struct http_client *c = http_client_start(4, NULL);
    snprintf(url, sizeof url, "http://localhost:%u/", port);
    const struct http_fetch f = { .url = url, .outbound = outbound_public_only() };
    EXPECT_INT(http_client_fetch(c, &f, remember, (void *)&rc, NULL), OK);
    for (int i = 0; i < 1000 && rc == 1; i++) poll(NULL, 0, 10);
    http_client_stop(c);
    EXPECT_INT(rc, ERR_RANGE);
    EXPECT(!was_connected(listener4));
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(public_addresses_are_allowed_and_the_edges_of_special_networks_are_exact),
        CASE(special_addresses_are_refused_and_named),
        CASE(networks_on_the_list_are_reached_however_they_are_spelled),
        CASE(what_is_no_network_is_an_error_that_names_it),
        CASE(a_family_that_is_no_internet_is_never_allowed),
        CASE(two_hundred_spellings_of_places_that_are_not_public_make_no_connection),
        CASE(the_same_listener_is_reached_when_private_addresses_are_allowed),
        CASE(a_proxy_is_judged_too_and_is_not_asked_for_a_literal_address),
        CASE(the_client_of_many_transfers_is_guarded_as_well),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
