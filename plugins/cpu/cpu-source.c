/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu source: online CPUs per NUMA node, in millicores. Touches nothing on the host. */
#include <libvirt-provider/source.h>
#include <string.h>

#define RESOURCE "cpu"
#define MILLICORES 1000
#define MAX_CPUS 8192
#define NODES "devices/system/node"

/* https://libvirt.org/formatdomain.html#cpu-tuning: the quota is of each period, both in
 * microseconds; a quota is at least 1000. */
#define PERIOD_US 100000
#define MIN_QUOTA_US 1000

typedef struct {
    LvpHost *host;
    double overcommit;
} CpuSource;

static const LvpOptionRow OPTIONS[] = {
    {"overcommit-vcpu", LVP_OPTION_DOUBLE, "1",
     "virtual CPUs to give away per CPU of the host; more than 0"},
    {NULL},
};

static void
validate(const LvpOptions *options, LvpDiagnostics *diagnostics)
{
    double factor = lvp_options_get_double(options, "overcommit-vcpu");
    if (factor <= 0 || factor > 1000)
        lvp_options_report(options, "overcommit-vcpu", diagnostics,
                           "must be more than 0 and at most 1000, but is %s",
                           lvp_options_get_string(options, "overcommit-vcpu"));
}

static gpointer
create(LvpSourceContext *context, GError **error)
{
    (void)error;
    CpuSource *self = g_new0(CpuSource, 1);
    self->host = lvp_source_context_get_host(context);
    self->overcommit =
        lvp_options_get_double(lvp_source_context_get_options(context), "overcommit-vcpu");
    return self;
}

/* Sets SET[n] for each n of a list such as "0-3,8"; FALSE where it is none. An empty text is an
 * empty list. */
static gboolean
parse_list(const char *text, gboolean *set)
{
    const char *cursor = text;
    while (*cursor) {
        char *end = NULL;
        guint64 first = g_ascii_strtoull(cursor, &end, 10), last = first;
        if (end == cursor)
            return FALSE;
        if (*end == '-') {
            cursor = end + 1;
            last = g_ascii_strtoull(cursor, &end, 10);
            if (end == cursor)
                return FALSE;
        }
        if (first > last || last >= MAX_CPUS || (*end && *end != ','))
            return FALSE;
        for (guint64 i = first; i <= last; i++)
            set[i] = TRUE;
        cursor = *end ? end + 1 : end;
    }
    return TRUE;
}

static gboolean
read_list(LvpHost *host, const char *path, gboolean *set, GError **error)
{
    g_autofree char *text = lvp_host_read_text(host, LVP_HOST_SYS, path, error);
    if (!text)
        return FALSE;
    if (parse_list(g_strstrip(text), set))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "%s is no list of CPUs: '%.80s'", path, text);
    return FALSE;
}

static void
add_cpus(const CpuSource *self, LvpSnapshot *snapshot, int node, guint count)
{
    /* 1000 * 1.001 is 1000.9999…: what is so close to a whole millicore is one. */
    double millicores = count * (double)MILLICORES * self->overcommit + 1e-6;
    lvp_snapshot_add_amount(snapshot, RESOURCE, node, (gint64)millicores);
}

static guint
count_both(const gboolean *a, const gboolean *b)
{
    guint count = 0;
    for (guint i = 0; i < MAX_CPUS; i++)
        count += a[i] && b[i];
    return count;
}

static gboolean
discover(gpointer data,
         LvpDiscoverFlags flags,
         LvpSnapshot *snapshot,
         GCancellable *cancellable,
         GError **error)
{
    (void)flags;
    (void)cancellable;
    const CpuSource *self = data;
    g_autofree gboolean *online = g_new0(gboolean, MAX_CPUS);
    if (!read_list(self->host, "devices/system/cpu/online", online, error))
        return FALSE;
    g_autoptr(GArray) nodes = lvp_host_list_nodes(self->host);
    for (guint i = 0; i < nodes->len; i++) {
        int node = g_array_index(nodes, int, i);
        g_autofree gboolean *cpus = g_new0(gboolean, MAX_CPUS);
        g_autofree char *path = g_strdup_printf(NODES "/node%d/cpulist", node);
        if (!read_list(self->host, path, cpus, error))
            return FALSE;
        add_cpus(self, snapshot, node, count_both(online, cpus));
    }
    if (nodes->len == 0) /* a kernel without NUMA */
        add_cpus(self, snapshot, LVP_NODE_NONE, count_both(online, online));
    return TRUE;
}

/* No domain is without a CPU: a class that names none gets one, counted like any other. */
static gboolean
normalize(gpointer data, LvpRequest *request, GError **error)
{
    (void)data;
    (void)error;
    if (lvp_request_get_amount(request, RESOURCE) == 0)
        lvp_request_set_amount(request, RESOURCE, MILLICORES);
    return TRUE;
}

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)data;
    (void)record;
    (void)error;
    gint64 millicores = lvp_holding_get_amount(holding, RESOURCE);
    g_autofree char *count = g_strdup_printf(
        "%" G_GINT64_FORMAT, millicores / MILLICORES + (millicores % MILLICORES > 0));
    lvp_domain_part_set_text(part, "vcpu", count);
    /* Both would say how many of them are there from the beginning. */
    lvp_domain_part_set_attribute(part, "vcpu", "current", NULL);
    lvp_domain_part_remove(part, "vcpus");
    if (millicores % MILLICORES == 0)
        return TRUE;
    g_autofree char *period = g_strdup_printf("%d", PERIOD_US);
    gint64 quota = millicores * (PERIOD_US / MILLICORES);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, MAX(quota, MIN_QUOTA_US));
    lvp_domain_part_set_text(part, "cputune/global_period", period);
    lvp_domain_part_set_text(part, "cputune/global_quota", text);
    return TRUE;
}

LVP_SOURCE_DEFINE(.name = "cpu",
                  .version = LVP_VERSION,
                  .description = "CPUs of the host, in millicores per NUMA node",
                  .options = OPTIONS,
                  .validate = validate,
                  .create = create,
                  .destroy = g_free,
                  .discover = discover,
                  .normalize = normalize,
                  .contribute_xml = contribute_xml, )
