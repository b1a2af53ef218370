/* rw_load.c - a remote-write 1.0 sender for benchmarks: all requests are encoded before the clock starts,
 * then sent over one keep-alive connection, as a Prometheus queue shard would. The same options give the same
 * bytes.
 *
 *     rw_load --url http://127.0.0.1:8090/api/v1/write --end UNIX --step SECONDS  --hosts N --steps K
 *     rw_load --url ...                                --end UNIX --step SECONDS  --scrapes DIR
 *
 * --hosts makes hosts of 104 series each (gauges that wander, counters, CPU seconds, latency buckets,
 * constants), every host with a random state of its own. --scrapes replays real pages of one host, one file a
 * step in the order of their names. One sample per TimeSeries with all its labels, 2000 a request. Prints one
 * JSON object. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "decode/prom_text.h"

#define SAMPLES_PER_REQUEST 2000

struct request {
    char *bytes;
    size_t n;
};

struct load {
    struct buf body; /* the request being filled */
    size_t in_body;
    struct request *requests;
    size_t n_requests, cap_requests;
    uint64_t samples, raw_bytes, sent_bytes;
};

static void die(const char *what)
{
    fprintf(stderr, "rw_load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

/* ---- encoding ---- */

static void request_close(struct load *l)
{
    if (l->in_body == 0) return;
    size_t n = snappy_max_compressed_length(l->body.n);
    char *out = mem_alloc(n);
    check(snappy_compress(l->body.p, l->body.n, out, &n) == SNAPPY_OK);
    l->requests = mem_grow(l->requests, l->n_requests, &l->cap_requests, sizeof *l->requests);
    l->requests[l->n_requests++] = (struct request){ out, n };
    l->raw_bytes += l->body.n;
    l->sent_bytes += n;
    l->in_body = 0;
    buf_clear(&l->body);
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7) n++;
    return n;
}

static void put_text(struct buf *b, unsigned char tag, struct str s)
{
    buf_u8(b, tag);
    buf_varint(b, s.n);
    buf_str(b, s);
}

/* labels: the encoded label fields of a TimeSeries, made once a series. */
static void put_sample(struct load *l, struct str labels, double value, int64_t time_ms)
{
    size_t sample = 1 + 8 + 1 + varint_bytes((uint64_t)time_ms);
    uint64_t bits;
    memcpy(&bits, &value, 8);
    buf_u8(&l->body, 0x0a); /* WriteRequest.timeseries */
    buf_varint(&l->body, labels.n + 2 + sample);
    buf_str(&l->body, labels);
    buf_u8(&l->body, 0x12); /* TimeSeries.samples */
    buf_varint(&l->body, sample);
    buf_u8(&l->body, 0x09);
    buf_u64le(&l->body, bits);
    buf_u8(&l->body, 0x10);
    buf_varint(&l->body, (uint64_t)time_ms);
    l->samples++;
    if (++l->in_body == SAMPLES_PER_REQUEST) request_close(l);
}

static struct str encode_labels(struct labels labels, struct arena *a)
{
    struct buf b = BUF_INIT(1u << 20);
    for (size_t i = 0; i < labels.n; i++) {
        struct str name = labels.at[i].name, value = labels.at[i].value;
        buf_u8(&b, 0x0a);
        buf_varint(&b, 2 + varint_bytes(name.n) + name.n + varint_bytes(value.n) + value.n);
        put_text(&b, 0x0a, name);
        put_text(&b, 0x12, value);
    }
    struct str kept = arena_str(a, buf_view(&b));
    buf_release(&b);
    return kept;
}

/* ---- generated hosts ---- */

enum shape { GAUGE, PERCENT, COUNTER, SECONDS, BUCKET, CONSTANT };

struct series {
    struct str labels;
    enum shape shape;
    double value, pace;
};

static const struct {
    const char *name, *key;
    int n;
    enum shape shape;
} families[] = {
    { "node_cpu_seconds_total", "mode", 16, SECONDS },
    { "cpu_usage", "core", 16, PERCENT },
    { "node_memory_bytes", "kind", 12, GAUGE },
    { "node_network_bytes_total", "device", 8, COUNTER },
    { "node_disk_io_total", "device", 12, COUNTER },
    { "http_request_duration_seconds_bucket", "le", 16, BUCKET },
    { "http_requests_total", "code", 8, COUNTER },
    { "node_filesystem_size_bytes", "mountpoint", 12, CONSTANT },
    { "process_limits", "kind", 4, CONSTANT },
};

static uint64_t random_state = 1;

static double random_unit(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static struct series make_series(struct arena *a, int host, const char *name, const char *key, int i,
                                 enum shape shape)
{
    struct label l[] = {
        { STR("__name__"), str_of(name) },
        { str_of(key), arena_printf(a, "%s-%d", key, i) },
        { STR("instance"), arena_printf(a, "host-%05d.lab.example:9100", host) },
        { STR("job"), STR("agent") },
        { STR("region"), arena_printf(a, "region-%d", host % 5) },
        { STR("service"), arena_printf(a, "service-%d", host % 17) },
        { STR("team"), arena_printf(a, "team-%d", host % 7) },
        { STR("version"), STR("2.17.4") },
    };
    size_t n = COUNT(l);
    check(labels_normalise(l, &n, NULL) == OK);
    return (struct series){ encode_labels((struct labels){ l, n }, a), shape, floor(random_unit() * 1e6),
                            random_unit() };
}

static double next_value(struct series *s)
{
    double r = random_unit();
    switch (s->shape) {
    case GAUGE: return s->value = floor(s->value + (r - 0.5) * 4096);
    case PERCENT: return s->value = fmod(fabs(round((s->value + (r - 0.5) * 3) * 10) / 10), 100);
    case COUNTER: return s->value += floor(r * r * s->pace * 1000);
    case SECONDS: return s->value = round((s->value + r * s->pace * 15) * 100) / 100;
    case BUCKET: return s->value += floor(r * s->pace * 20);
    case CONSTANT: return s->value;
    }
    return 0;
}

static void make_hosts(struct load *l, struct arena *a, int hosts, int steps, int64_t end_ms, int64_t step_ms)
{
    struct series *all = NULL;
    size_t n = 0, cap = 0;
    for (int h = 0; h < hosts; h++) {
        for (size_t f = 0; f < COUNT(families); f++) {
            for (int i = 0; i < families[f].n; i++) {
                all = mem_grow(all, n, &cap, sizeof *all);
                all[n++] = make_series(a, h, families[f].name, families[f].key, i, families[f].shape);
            }
        }
    }
    for (int k = 0; k < steps; k++)
        for (size_t i = 0; i < n; i++)
            put_sample(l, all[i].labels, next_value(&all[i]), end_ms - (int64_t)(steps - 1 - k) * step_ms);
    request_close(l);
    mem_free(all);
}

/* ---- real pages ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_page(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void put_page(struct load *l, struct str page, int64_t time_ms)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct prom_text t;
    struct prom_line line;
    enum prom_text_kind kind;
    prom_text_open(&t, page, PROM_TEXT_PLAIN);
    while ((kind = prom_text_next(&t, &line)) != PROM_TEXT_END) {
        struct label *pairs;
        size_t n;
        if (kind != PROM_TEXT_SAMPLE || prom_text_series(line.series, 2, &a, &pairs, &n, NULL) < 0) continue;
        pairs[n++] = (struct label){ STR("instance"), STR("127.0.0.1:9100") };
        pairs[n++] = (struct label){ STR("job"), STR("node") };
        if (labels_normalise(pairs, &n, NULL) < 0) continue;
        put_sample(l, encode_labels((struct labels){ pairs, n }, &a), line.value, time_ms);
    }
    arena_release(&a);
}

static void read_scrapes(struct load *l, const char *dir, int64_t end_ms, int64_t step_ms)
{
    struct dirent **names;
    int n = scandir(dir, &names, is_page, by_name);
    if (n < 0) die(dir);
    for (int i = 0; i < n; i++) {
        char path[4096];
        struct buf page = BUF_INIT(64u << 20);
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (file_slurp(path, &page, NULL) == OK)
            put_page(l, buf_view(&page), end_ms - (int64_t)(n - 1 - i) * step_ms);
        buf_release(&page);
        free(names[i]);
    }
    request_close(l);
    free(names);
}

/* ---- sending ---- */

static int dial(const char *url, char *host, size_t host_cap, const char **path)
{
    const char *at = strstr(url, "://"), *colon, *slash;
    if (at == NULL || (colon = strchr(at + 3, ':')) == NULL || (slash = strchr(colon, '/')) == NULL)
        die("--url is http://IPV4:PORT/PATH");
    snprintf(host, host_cap, "%.*s", (int)(colon - at - 3), at + 3);
    *path = slash;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) die("--url wants an address, not a name");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0) die("send");
        p += k;
        n -= (size_t)k;
    }
}

static int read_status(
    int fd) /* answers without a body, or with a short one that comes along with its head */
{
    char head[8192];
    size_t n = 0;
    for (;;) {
        ssize_t k = recv(fd, head + n, sizeof head - 1 - n, 0);
        if (k <= 0) die("recv");
        n += (size_t)k;
        head[n] = 0;
        char *end = strstr(head, "\r\n\r\n"), *length = strcasestr(head, "\r\ncontent-length:");
        if (end == NULL) continue;
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - head) + body) return atoi(head + 9);
    }
}

static int send_one(int fd, const char *path, const char *host, const struct request *r)
{
    char head[512];
    int n = snprintf(
        head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
        "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
        path, host, r->n);
    send_all(fd, head, (size_t)n);
    send_all(fd, r->bytes, r->n);
    return read_status(fd);
}

/* 429 and 503 ask to come again, and every sender does. */
static unsigned send_requests(const struct load *l, const char *url, unsigned *repeated)
{
    char host[128];
    const char *path;
    unsigned refused = 0;
    int fd = dial(url, host, sizeof host, &path);
    for (size_t i = 0; i < l->n_requests; i++) {
        int status = send_one(fd, path, host, &l->requests[i]);
        for (; status == 429 || status == 503; ++*repeated) {
            usleep(30000); /* Prometheus' min_backoff */
            status = send_one(fd, path, host, &l->requests[i]);
        }
        if (status / 100 != 2 && refused++ == 0) fprintf(stderr, "rw_load: HTTP %d\n", status);
    }
    close(fd);
    return refused;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "url", 1, 0, 'u' },   { "hosts", 1, 0, 'h' },
                                             { "steps", 1, 0, 'k' }, { "step", 1, 0, 's' },
                                             { "end", 1, 0, 'e' },   { "scrapes", 1, 0, 'd' },
                                             { "seed", 1, 0, 'r' },  { 0 } };
    const char *url = NULL, *scrapes = NULL;
    int hosts = 100, steps = 60;
    int64_t step_ms = 15000, end_ms = clock_now_ms();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'u': url = optarg; break;
        case 'h': hosts = atoi(optarg); break;
        case 'k': steps = atoi(optarg); break;
        case 's': step_ms = (int64_t)(atof(optarg) * 1000); break;
        case 'e': end_ms = atoll(optarg) * 1000; break;
        case 'd': scrapes = optarg; break;
        case 'r': random_state = strtoull(optarg, NULL, 10); break;
        default: return 2;
        }
    }
    struct arena arena = ARENA_INIT((size_t)8 << 30);
    struct load l = { .body = BUF_INIT(64u << 20) };
    if (scrapes != NULL)
        read_scrapes(&l, scrapes, end_ms, step_ms);
    else
        make_hosts(&l, &arena, hosts, steps, end_ms, step_ms);

    int64_t began = clock_mono_ns();
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    errno = 0;
    unsigned repeated = 0, refused = url ? send_requests(&l, url, &repeated) : 0;
    getrusage(RUSAGE_SELF, &after);
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                          before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
                          before.ru_stime.tv_usec) /
                     1e6;
    printf("{\"samples\":%llu,\"requests\":%zu,\"raw_bytes\":%llu,\"sent_bytes\":%llu,\"seconds\":%.3f,"
           "\"client_cpu_seconds\":%.3f,\"repeated\":%u,\"refused\":%u}\n",
           (unsigned long long)l.samples, l.n_requests, (unsigned long long)l.raw_bytes,
           (unsigned long long)l.sent_bytes, (double)(clock_mono_ns() - began) / 1e9, cpu, repeated, refused);
    return refused > 0;
}
