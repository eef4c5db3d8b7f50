/* The benchmark's options and what is begun and ended with it. See scripts/bench. */
#include "bench.h"

#include <getopt.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"

const char *const bench_strategies[2] = {"transaction", "journal"};

static bench *running; /* its sandbox is removed when the program fails */

void bench_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: failed: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    if (running) {
        bench *b = running;
        running = NULL;
        bench_stop(b);
    }
    exit(1);
}

void bench_shuffle(int *order, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = (int)tf_clock_random((uint64_t)i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
}

static _Noreturn void usage(void)
{
    fputs(
        "Usage: scripts/bench [--sparse | --scale | --application | --export | --audit] [options] [-- OPTION...]\n"
        "\n"
        "  (nothing)      the floor, up, verify, down with both strategies, and what they are compared with\n"
        "  --sparse       1,000 defects among 1,000,000 documents: passes over the collection\n"
        "  --scale        up and down of 10^4, 10^5 and 10^6 affected documents: writes docs/performance.md and "
        "docs/scale.svg\n"
        "  --audit        an audit of 1,000,000 documents beside bare passes over them, before and after a run; its memory\n"
        "  --application  how long an application's writes take, without the tool and beside up and down\n"
        "  --export       a backup into files, beside a bare cursor whose documents are written to a file\n"
        "\n"
        "  --tokens N     documents to seed; 500000, with --targets 3 or --application 250000\n"
        "  --defects P    percent of them that are defective; 20, with --scale 50, with --audit 5\n"
        "  --affected N   --scale: the largest number, the others are a tenth and a hundredth; 1000000\n"
        "  --indexes N    the indexes of the application's model (8) or of production (12); 12\n"
        "  --rounds N     times everything is measured, medians count; 3 (with --scale a third of it for the largest)\n"
        "  --workers N    of up, verify and down; the tool's own default, with --targets 3 one\n"
        "  --targets 3|4  of which issue; 4. 3 is for one worker, and measures its transactions by hand as well\n"
        "  --rate N       --application: writes in a second; 500\n"
        "  --cache-mb MB  the server's cache; 4096, with --scale 8192\n"
        "  --json FILE    writes all figures there\n"
        "  --docs DIR     --scale: where performance.md is and scale.svg goes; docs\n"
        "  -- OPTION...   handed to every up and down\n"
        "Ends with 0 when every target was reached, with 3 when one was missed.\n",
        stderr);
    exit(2);
}

static int64_t number(const char *text, int64_t least, int64_t most)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < least || value > most)
        usage();
    return value;
}

static void choose_mode(bench *b, bench_mode mode)
{
    if (b->mode != BENCH_DENSE)
        usage();
    b->mode = mode;
}

static void take(bench *b, int option, const char *value)
{
    switch (option) {
    case 't':
        b->tokens = number(value, 1000, 100000000);
        break;
    case 'd':
        b->percent = (double)number(value, 1, 100);
        break;
    case 'a':
        b->affected = number(value, 1000, 10000000);
        break;
    case 'i':
        b->indexes = (int)number(value, 8, 12);
        break;
    case 'r':
        b->rounds = (int)number(value, 1, BENCH_ROUNDS_MAX);
        break;
    case 'w':
        b->workers = (int)number(value, 1, 64);
        break;
    case 'g':
        b->targets = (int)number(value, 3, 4);
        break;
    case 'R':
        b->rate = (int)number(value, 1, 10000);
        break;
    case 'c':
        b->cache_mb = (int)number(value, 256, 1048576);
        break;
    case 'j':
        b->json = value;
        break;
    case 'D':
        b->docs = value;
        break;
    case 's':
        choose_mode(b, BENCH_SPARSE);
        break;
    case 'S':
        choose_mode(b, BENCH_SCALE);
        break;
    case 'A':
        choose_mode(b, BENCH_APPLICATION);
        break;
    case 'E':
        choose_mode(b, BENCH_EXPORT);
        break;
    case 'U':
        choose_mode(b, BENCH_AUDIT);
        break;
    case 'b':
        b->tokenfix = value;
        break;
    case 'n':
        b->name = value;
        break;
    default:
        usage();
    }
}

static void parse(bench *b, int argc, char **argv)
{
    static const struct option options[] = {{"tokens", 1, NULL, 't'},   {"defects", 1, NULL, 'd'},
                                            {"affected", 1, NULL, 'a'}, {"indexes", 1, NULL, 'i'},
                                            {"rounds", 1, NULL, 'r'},   {"workers", 1, NULL, 'w'},
                                            {"targets", 1, NULL, 'g'},  {"rate", 1, NULL, 'R'},
                                            {"cache-mb", 1, NULL, 'c'}, {"json", 1, NULL, 'j'},
                                            {"docs", 1, NULL, 'D'},     {"sparse", 0, NULL, 's'},
                                            {"scale", 0, NULL, 'S'},    {"application", 0, NULL, 'A'},
                                            {"export", 0, NULL, 'E'},
                                            {"audit", 0, NULL, 'U'},
                                            {"tokenfix", 1, NULL, 'b'}, {"name", 1, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
        take(b, option, optarg);
    if (optind < argc && strcmp(argv[optind - 1], "--") != 0)
        usage();
    b->extra = argv + optind;
    if (!b->tokenfix || !b->name || (b->indexes != 8 && b->indexes != 12))
        usage();
}

static void fill_in(bench *b)
{
    char workers[16];
    if (b->workers == 0 && b->targets == 3)
        b->workers = 1;
    snprintf(workers, sizeof workers, "%d", b->workers);
    if (b->workers > 0)
        setenv("TOKENFIX_WORKERS", workers, 1);
    if (b->tokens == 0)
        b->tokens = b->mode == BENCH_SPARSE || b->mode == BENCH_AUDIT ? 1000000
                    : b->mode == BENCH_APPLICATION || b->targets == 3 ? 250000
                                                                      : 500000;
    if (b->percent == 0)
        b->percent = b->mode == BENCH_SPARSE ? 100.0 * 1000 / (double)b->tokens
                     : b->mode == BENCH_SCALE || b->mode == BENCH_EXPORT ? 50 : b->mode == BENCH_AUDIT ? 5 : 20;
    if (b->cache_mb == 0)
        b->cache_mb = b->mode == BENCH_SCALE ? 8192 : 4096;
}

int main(int argc, char **argv)
{
    static bool (*const modes[])(bench *) = {bench_dense, bench_sparse, bench_scale, bench_application, bench_export, bench_audit};
    static bench b = {.affected = 1000000, .indexes = 12, .rounds = 3, .targets = 4, .rate = 500, .docs = "docs"};
    parse(&b, argc, argv);
    fill_in(&b);
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    running = &b;
    bench_start(&b);
    bool reached = modes[b.mode](&b);
    running = NULL;
    bench_stop(&b);
    mongoc_cleanup();
    return reached ? 0 : 3;
}
