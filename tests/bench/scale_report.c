/* The table and the curve of --scale, written into the documents. */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <time.h>
#include <tokenfix/cleanup.h>

#define BEGIN_MARK "<!-- scale: written by scripts/bench --scale -->\n"
#define END_MARK "<!-- /scale -->\n"

enum { WIDTH = 720, HEIGHT = 400, LEFT = 70, RIGHT = 190, TOP = 24, BOTTOM = 52 };

static double cost_us(int64_t ms, const bench_point *point)
{
    return 1000.0 * (double)ms / (double)point->affected;
}

static FILE *create(const bench *b, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", b->docs, name);
    FILE *file = fopen(path, "we");
    if (!file)
        bench_fail("cannot write %s: %s", path, strerror(errno));
    return file;
}

static void finish(FILE *file, const char *name)
{
    if (ferror(file) || fclose(file) != 0)
        bench_fail("cannot write %s: %s", name, strerror(errno));
}

/* ---- the curve ---- */

typedef struct curve {
    const char *name, *colour, *dash;
    int strategy;
    bool down, repair; /* whole up, its repair alone, or down */
} curve;

static const curve curves[] = {
    {"transaction: up", "#b5482f", "", 0, false, false},
    {"transaction: its repair", "#b5482f", "6 4", 0, false, true},
    {"transaction: down", "#b5482f", "1 4", 0, true, false},
    {"journal: up", "#22668f", "", 1, false, false},
    {"journal: its repair", "#22668f", "6 4", 1, false, true},
    {"journal: down", "#22668f", "1 4", 1, true, false},
};
enum { CURVES = sizeof curves / sizeof *curves };

static double value(const bench_point points[BENCH_SIZES][2], int size, const curve *c)
{
    const bench_point *p = &points[size][c->strategy];
    const bench_times *t = c->down ? &p->down : &p->up;
    return cost_us(c->repair ? t->repair : t->total, p);
}

static double highest(const bench_point points[BENCH_SIZES][2])
{
    double most = 0;
    for (int i = 0; i < CURVES; i++)
        for (int size = 0; size < BENCH_SIZES; size++)
            most = fmax(most, value(points, size, &curves[i]));
    return most;
}

/* 1, 2 or 5 times a power of ten: at most six steps to the top */
static double step_of(double most)
{
    double power = pow(10, floor(log10(most / 6)));
    for (int i = 0; i < 3; i++) {
        double step = power * (i == 0 ? 1 : i == 1 ? 2 : 5);
        if (step * 6 >= most)
            return step;
    }
    return power * 10;
}

static double x_of(int size)
{
    return LEFT + (double)(WIDTH - LEFT - RIGHT) * size / (BENCH_SIZES - 1);
}

static double y_of(double us, double top)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * us / top;
}

static void draw_axes(FILE *out, const bench_point points[BENCH_SIZES][2], double step, double top)
{
    for (int i = 0; i * step <= top + step / 2; i++) {
        double y = y_of(i * step, top);
        fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT, WIDTH - RIGHT, y,
                y);
        fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 8, y + 4, i * step);
    }
    for (int size = 0; size < BENCH_SIZES; size++)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld</text>\n", x_of(size), HEIGHT - BOTTOM + 20,
                (long long)points[size][0].affected);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">affected documents</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
    fprintf(out,
            "<text x=\"18\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 18 %d)\">microseconds a "
            "document</text>\n",
            HEIGHT / 2, HEIGHT / 2);
}

static void draw_curve(FILE *out, const bench_point points[BENCH_SIZES][2], int i, double top)
{
    const curve *c = &curves[i];
    int y = TOP + 14 + 22 * i;
    fprintf(out, "<g stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\" fill=\"none\"><polyline points=\"",
            c->colour, c->dash);
    for (int size = 0; size < BENCH_SIZES; size++)
        fprintf(out, "%s%.1f,%.1f", size ? " " : "", x_of(size), y_of(value(points, size, c), top));
    fprintf(out, "\"/><line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/></g>\n", WIDTH - RIGHT + 14, WIDTH - RIGHT + 42, y,
            y);
    for (int size = 0; size < BENCH_SIZES; size++)
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x_of(size),
                y_of(value(points, size, c), top), c->colour);
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", WIDTH - RIGHT + 48, y + 4, c->name);
}

static void write_curve(const bench *b, const bench_point points[BENCH_SIZES][2])
{
    FILE *out = create(b, "scale.svg");
    double step = step_of(highest(points)), top = step * ceil(highest(points) / step);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"12\" fill=\"#222\">\n"
            "<title>Cost of a document by the number of affected documents</title>\n<rect width=\"%d\" height=\"%d\" "
            "fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_axes(out, points, step, top);
    for (int i = 0; i < CURVES; i++)
        draw_curve(out, points, i, top);
    fputs("</svg>\n", out);
    finish(out, "scale.svg");
}

/* ---- the table ---- */

static void write_machine(FILE *out)
{
    char line[256], model[200] = "an unknown processor";
    _cleanup_(fclosep) FILE *info = fopen("/proc/cpuinfo", "re");
    while (info && fgets(line, sizeof line, info))
        if (sscanf(line, "model name : %199[^\n]", model) == 1)
            break;
    fprintf(out, "%s, %ld processors, %.0f GB", model, sysconf(_SC_NPROCESSORS_ONLN),
            (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9);
}

static void write_row(FILE *out, const bench_point *p, const char *strategy)
{
    fprintf(out, "| %lld | %lld | %s | %lld | %lld | %lld | %lld | %.0f | %.0f | %lld | %.0f | %.1f | %.1f | %d |\n",
            (long long)p->affected, (long long)p->tokens, strategy, (long long)p->up.total, (long long)p->up.plan,
            (long long)p->up.repair, (long long)p->up.proof, cost_us(p->up.total, p), cost_us(p->up.repair, p),
            (long long)p->down.total, cost_us(p->down.total, p), (double)p->up.rss_kb / 1024,
            (double)p->down.rss_kb / 1024, p->rounds);
}

static void write_table(FILE *out, const bench_point points[BENCH_SIZES][2], const char *summary)
{
    char date[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &parts));
    fprintf(out, BEGIN_MARK "\n%s; ", date);
    write_machine(out);
    fprintf(out,
            ". %s Medians of as many rounds as the last column says; times in ms, costs in µs a document, memory in "
            "MiB.\n\n",
            summary);
    fputs("![cost of a document](scale.svg)\n\n"
          "| affected | tokens | strategy | up | plan | repair | proof | cost | its repair's | down | cost | RSS up | "
          "RSS down | rounds |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (int size = 0; size < BENCH_SIZES; size++)
        for (int i = 0; i < 2; i++)
            write_row(out, &points[size][i], bench_strategies[i]);
    fputs("\n" END_MARK, out);
}

static char *read_all(const char *path)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        bench_fail("cannot read %s: %s", path, strerror(errno));
    long size = ftell(file);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
        bench_fail("cannot read %s", path);
    return text;
}

void bench_scale_write(const bench *b, const bench_point points[BENCH_SIZES][2], const char *summary)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/performance.md", b->docs);
    _cleanup_free_ char *text = read_all(path);
    char *begin = strstr(text, BEGIN_MARK), *end = begin ? strstr(begin, END_MARK) : NULL;
    write_table(stdout, points, summary);
    fputs("\n", stdout);
    if (!end)
        bench_fail("%s has no place for the table: %s", path, BEGIN_MARK);
    FILE *out = create(b, "performance.md");
    fwrite(text, 1, (size_t)(begin - text), out);
    write_table(out, points, summary);
    fputs(end + strlen(END_MARK), out);
    finish(out, path);
    write_curve(b, points);
}
