/* SPDX-License-Identifier: Apache-2.0 */
/* The memory source: MemTotal per NUMA node less what the host keeps. Touches nothing on the host.
 */
#include <libvirt-provider/source.h>
#include <string.h>

#define RESOURCE "memory"
#define KIB 1024
#define MIB (1024 * KIB)
#define NODES "devices/system/node"

typedef struct {
    LvpHost *host;
    gint64 reserved_bytes;
} MemorySource;

typedef struct {
    int node;
    gint64 size_bytes;
} NodeMemory;

static const LvpOptionRow OPTIONS[] = {
    {"reserved-memory-size", LVP_OPTION_QUANTITY, "0",
     "memory that the host keeps for itself, such as 4Gi"},
    {NULL},
};

static gpointer
create(LvpSourceContext *context, GError **error)
{
    (void)error;
    MemorySource *self = g_new0(MemorySource, 1);
    self->host = lvp_source_context_get_host(context);
    self->reserved_bytes =
        lvp_options_get_integer(lvp_source_context_get_options(context), "reserved-memory-size");
    return self;
}

/* The bytes of the line "... MemTotal: N kB"; -1 where there is none. */
static gint64
find_total(const char *text)
{
    const char *label = strstr(text, "MemTotal:");
    if (!label)
        return -1;
    char *end = NULL;
    const char *digits = label + strlen("MemTotal:");
    guint64 kib = g_ascii_strtoull(digits, &end, 10);
    if (end == digits || kib > G_MAXINT64 / KIB || !g_str_has_prefix(end, " kB"))
        return -1;
    return (gint64)kib * KIB;
}

static gboolean
read_total(LvpHost *host, LvpHostTree tree, const char *path, gint64 *ret_bytes, GError **error)
{
    g_autofree char *text = lvp_host_read_text(host, tree, path, error);
    if (!text)
        return FALSE;
    *ret_bytes = find_total(text);
    if (*ret_bytes >= 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "%s has no MemTotal", path);
    return FALSE;
}

static gboolean
read_nodes(const MemorySource *self, GArray *nodes, GError **error)
{
    g_auto(GStrv) names = lvp_host_list(self->host, LVP_HOST_SYS, NODES, NULL);
    for (guint i = 0; names && names[i]; i++) {
        guint64 number;
        if (!g_str_has_prefix(names[i], "node") ||
            !g_ascii_string_to_unsigned(names[i] + strlen("node"), 10, 0, 1023, &number, NULL))
            continue;
        g_autofree char *path = g_strdup_printf(NODES "/%s/meminfo", names[i]);
        NodeMemory node = {(int)number, 0};
        if (!read_total(self->host, LVP_HOST_SYS, path, &node.size_bytes, error))
            return FALSE;
        g_array_append_val(nodes, node);
    }
    if (nodes->len > 0)
        return TRUE;
    NodeMemory whole = {LVP_NODE_NONE, 0}; /* a kernel without NUMA */
    if (!read_total(self->host, LVP_HOST_PROC, "meminfo", &whole.size_bytes, error))
        return FALSE;
    g_array_append_val(nodes, whole);
    return TRUE;
}

/* FALSE where the sum is too large, as of no host that exists. */
static gboolean
sum_up(const GArray *nodes, gint64 *ret_total, GError **error)
{
    gint64 total = 0;
    for (guint i = 0; i < nodes->len; i++) {
        gint64 size_bytes = g_array_index(nodes, NodeMemory, i).size_bytes;
        if (size_bytes > G_MAXINT64 - total) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                        "the memory of all nodes is more than can be counted");
            return FALSE;
        }
        total += size_bytes;
    }
    *ret_total = total;
    return TRUE;
}

/* Every node keeps its share of what is reserved, in proportion to its size; the last one that has
 * any memory what is left by rounding. */
static gboolean
discover(gpointer data,
         LvpDiscoverFlags flags,
         LvpSnapshot *snapshot,
         GCancellable *cancellable,
         GError **error)
{
    (void)flags;
    (void)cancellable;
    const MemorySource *self = data;
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(NodeMemory));
    if (!read_nodes(self, nodes, error))
        return FALSE;
    gint64 total;
    if (!sum_up(nodes, &total, error))
        return FALSE;
    if (self->reserved_bytes > total) {
        g_autofree char *has = lvp_quantity_format(RESOURCE, total);
        g_autofree char *kept = lvp_quantity_format(RESOURCE, self->reserved_bytes);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "reserved-memory-size is %s, but the host has only %s", kept, has);
        return FALSE;
    }
    gint64 to_keep = self->reserved_bytes, left = total;
    for (guint i = 0; i < nodes->len; i++) {
        const NodeMemory *node = &g_array_index(nodes, NodeMemory, i);
        gint64 kept = to_keep;
        if (node->size_bytes < left) {
            double share = (double)node->size_bytes / (double)left;
            /* What stays to be kept must fit into the nodes to come. */
            kept = CLAMP((gint64)((double)to_keep * share), to_keep - (left - node->size_bytes),
                         MIN(to_keep, node->size_bytes));
        }
        left -= node->size_bytes;
        to_keep -= kept;
        lvp_snapshot_add_amount(snapshot, RESOURCE, node->node, node->size_bytes - kept);
    }
    return TRUE;
}

/* How much memory a guest needs is not ours to guess. libvirt gives a guest of QEMU whole mebibytes
 * (https://libvirt.org/formatdomain.html#memory-allocation), so that is what is counted. */
static gboolean
normalize(gpointer data, LvpRequest *request, GError **error)
{
    (void)data;
    gint64 bytes = lvp_request_get_amount(request, RESOURCE);
    gint64 rest = bytes % MIB;
    if (rest > 0)
        lvp_request_set_amount(request, RESOURCE,
                               bytes > G_MAXINT64 - MIB ? G_MAXINT64 : bytes + MIB - rest);
    if (bytes > 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "names no memory: add memory to its capabilities, such as memory: 1Gi");
    return FALSE;
}

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)data;
    (void)record;
    (void)error;
    static const char *const ELEMENTS[] = {"memory", "currentMemory"};
    gint64 bytes = lvp_holding_get_amount(holding, RESOURCE);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, bytes / KIB + (bytes % KIB > 0));
    for (guint i = 0; i < G_N_ELEMENTS(ELEMENTS); i++) {
        lvp_domain_part_set_text(part, ELEMENTS[i], text);
        lvp_domain_part_set_attribute(part, ELEMENTS[i], "unit", "KiB");
    }
    return TRUE;
}

LVP_SOURCE_DEFINE(.name = "memory",
                  .version = LVP_VERSION,
                  .description = "memory of the host, in bytes per NUMA node",
                  .options = OPTIONS,
                  .create = create,
                  .destroy = g_free,
                  .discover = discover,
                  .normalize = normalize,
                  .contribute_xml = contribute_xml, )
