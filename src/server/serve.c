/* serve.c - `vedette serve`: from the command line to a running server, and from a signal to a clean end.
 *
 * SIGTERM and SIGINT drain, sync and exit 0; SIGHUP reads the configuration again. Signals are blocked in
 * every thread and taken by the main one, so no code runs in a handler. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "server/cli.h"
#include "server/server.h"

static int usage(void)
{
    struct buf text = BUF_INIT(64u << 10);
    options_help(&text);
    printf("usage: vedette serve [FLAGS]\n\nEach flag is also an environment variable (VEDETTE_LISTEN) and a "
           "key of the file (listen).\n\n%s",
           buf_cstr(&text));
    buf_release(&text);
    return 0;
}

static int set_up_log(const struct options *o)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    static const char *const formats[] = { "auto", "text",
                                           "json" }; /* in the order of log_set_json: -1, 0, 1 */
    int level = 0, format = 0;
    while (level < 4 && strcmp(o->log_level, levels[level]) != 0) level++;
    while (format < 3 && strcmp(o->log_format, formats[format]) != 0) format++;
    if (level == 4)
        return fprintf(stderr, "vedette serve: log-level %s is not one of debug, info, warn, error\n",
                       o->log_level),
               2;
    if (format == 3)
        return fprintf(stderr, "vedette serve: log-format %s is not one of json, text, auto\n",
                       o->log_format),
               2;
    log_set_level((enum log_level)level);
    log_set_json(format - 1);
    return 0;
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Connections and parts are files; the usual soft limit of 1024 is below our own ceilings. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void run_until_told(struct server *s, const sigset_t *set)
{
    for (int sig; sigwait(set, &sig) == 0;) {
        struct err e = ERR_INIT;
        if (sig != SIGHUP) return;
        if (server_reload(s, &e) < 0)
            log_error("server", "configuration not taken, the old one stays", "error", e.text, NULL);
        else
            log_info("server", "configuration read again", NULL);
    }
}

int cli_serve(int argc, char **argv)
{
    struct options o;
    struct server s;
    struct err e = ERR_INIT;
    sigset_t set;

    /* Two heaps are enough for our threads; one per thread would only keep freed memory from being reused. */
    mallopt(M_ARENA_MAX, 2);
    /* Large bodies and tables go back to the system when they are freed. Else the first one that is freed
     * makes malloc keep all later ones of its size in its heaps, where a small neighbour holds them for ever.
     */
    mallopt(M_MMAP_THRESHOLD, 2 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    int rc = options_load(&o, argc, argv, &e);
    if (rc < 0) {
        options_release(&o);
        if (e.text[0] == 0) return usage();
        fprintf(stderr, "vedette serve: %s\n", e.text);
        return 2;
    }
    if (set_up_log(&o) != 0) return options_release(&o), 2;
    raise_file_limit();
    block_signals(&set);
    if (server_open(&s, &o, &e) < 0) {
        fprintf(stderr, "vedette serve: %s\n", e.text);
        return 1;
    }
    run_until_told(&s, &set);
    log_info("server", "stopping", NULL);
    server_close(&s);
    return 0;
}
