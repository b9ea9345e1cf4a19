/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"
#include "lib/source-context.h"
#include "source-loader.h"
#include "test-modules.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static LvpScratch *scratch;
static const char *folders[3];

static void
set_up(void)
{
    umask(022);
    scratch = lvp_scratch_new();
    lvp_scratch_make_folder(scratch, "one");
    lvp_scratch_make_folder(scratch, "two");
    folders[0] = lvp_scratch_get_path(scratch, "one");
    folders[1] = lvp_scratch_get_path(scratch, "two");
}

static void
tear_down(void)
{
    g_free((char *)(gsize)folders[0]);
    g_free((char *)(gsize)folders[1]);
    lvp_scratch_free(scratch);
}

TestSuite(source_loader, .init = set_up, .fini = tear_down);

static void
set_mode(const char *path, guint mode)
{
    g_autofree char *full = lvp_scratch_get_path(scratch, path);
    cr_assert_eq(chmod(full, mode), 0);
}

static LvpModule *
load(const char *name)
{
    g_autoptr(GError) error = NULL;
    LvpModule *module = lvp_source_loader_load(folders, name, &error);
    assert_no_error(error);
    cr_assert_not_null(module);
    return module;
}

/* Loading NAME fails with CODE and a text that has PART. */
static void
assert_refused(const char *name, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_source_loader_load(folders, name, &error), "%s is loaded", name);
    cr_assert_not_null(error);
    cr_assert(g_error_matches(error, LVP_ERROR, code), "%s", error->message);
    assert_contains(error->message, part);
}

static void
assert_broken(const char *name, const char *part)
{
    copy_module(scratch, "one", name);
    assert_refused(name, LVP_ERROR_SOURCE, part);
}

/* ---- found and loaded ---- */

Test(source_loader, module_is_loaded_with_its_table_and_path)
{
    copy_module(scratch, "one", "good");
    g_autoptr(LvpModule) module = load("good");
    cr_assert_str_eq(module->table->name, "good");
    cr_assert_str_eq(module->table->version, "1.2");
    cr_assert_not_null(module->table->discover);
    cr_assert_not_null(lvp_options_find_row(module->table->options, "good-level"));
    cr_assert(g_str_has_suffix(module->path, "/one/good.so"), "%s", module->path);
}

Test(source_loader, module_is_loaded_twice)
{
    copy_module(scratch, "one", "good");
    g_autoptr(LvpModule) first = load("good");
    g_autoptr(LvpModule) second = load("good");
    cr_assert_str_eq(first->table->name, second->table->name);
}

Test(source_loader, first_folder_that_has_it_wins)
{
    copy_module(scratch, "two", "good");
    g_autoptr(LvpModule) second = load("good");
    cr_assert(g_str_has_suffix(second->path, "/two/good.so"), "%s", second->path);
    copy_module(scratch, "one", "good");
    g_autoptr(LvpModule) first = load("good");
    cr_assert(g_str_has_suffix(first->path, "/one/good.so"), "%s", first->path);
}

Test(source_loader, link_is_followed_to_the_file)
{
    copy_module(scratch, "two", "good");
    lvp_scratch_link_text(scratch, "one/good.so", "../two/good.so");
    g_autoptr(LvpModule) module = load("good");
    cr_assert(g_str_has_suffix(module->path, "/two/good.so"), "%s", module->path);
}

Test(source_loader, list_has_each_name_once_in_order)
{
    copy_module(scratch, "one", "good");
    copy_module(scratch, "two", "good");
    copy_module(scratch, "two", "other");
    lvp_scratch_write(scratch, "one/README", "");
    static const char *const MISSING[] = {"/nonexistent/folder", NULL};
    g_auto(GStrv) names = lvp_source_loader_list(folders);
    g_autofree char *joined = g_strjoinv(" ", names);
    cr_assert_str_eq(joined, "good other");
    g_auto(GStrv) none = lvp_source_loader_list(MISSING);
    cr_assert_null(none[0]);
}

Test(source_loader, unknown_source_names_those_found_and_where_was_searched)
{
    copy_module(scratch, "one", "good");
    copy_module(scratch, "two", "other");
    assert_refused("gpu", LVP_ERROR_SOURCE, "no source 'gpu' in ");
    assert_refused("gpu", LVP_ERROR_SOURCE, folders[0]);
    assert_refused("gpu", LVP_ERROR_SOURCE, folders[1]);
    assert_refused("gpu", LVP_ERROR_SOURCE, "found there: good, other ");
    assert_refused("gpu", LVP_ERROR_SOURCE, "--source-dir");
}

Test(source_loader, source_that_cannot_be_looked_at_is_not_unknown)
{
    lvp_scratch_link_text(scratch, "one/gpu.so", "gpu.so");
    assert_refused("gpu", LVP_ERROR_SOURCE, g_strerror(ELOOP));
}

Test(source_loader, unknown_source_in_empty_folders_says_none)
{
    assert_refused("gpu", LVP_ERROR_SOURCE, "found there: none");
}

Test(source_loader, names_that_are_paths_or_empty_are_refused)
{
    copy_module(scratch, "two", "good");
    assert_refused("", LVP_ERROR_INVALID_REQUEST, "is no name for a source");
    assert_refused("../two/good", LVP_ERROR_INVALID_REQUEST, "is no name for a source");
    assert_refused("Good", LVP_ERROR_INVALID_REQUEST, "is no name for a source");
    assert_refused("good.so", LVP_ERROR_INVALID_REQUEST, "is no name for a source");
}

/* ---- versions of the table ---- */

Test(source_loader, shorter_table_is_loaded_and_the_rest_is_zero)
{
    copy_module(scratch, "one", "short-table");
    g_autoptr(LvpModule) module = load("short-table");
    cr_assert_not_null(module->table->discover);
    cr_assert_null(module->table->normalize);
    cr_assert_null(module->table->plan);
    cr_assert_null(module->table->prepare);
    cr_assert_null(module->table->generate);
}

Test(source_loader, longer_table_is_loaded)
{
    copy_module(scratch, "one", "long-table");
    g_autoptr(LvpModule) module = load("long-table");
    cr_assert_str_eq(module->table->name, "long-table");
}

Test(source_loader, other_abi_is_refused_and_both_are_named)
{
    assert_broken("wrong-abi", "of ABI 2");
    assert_refused("wrong-abi", LVP_ERROR_SOURCE, "needs ABI 1");
}

Test(source_loader, table_without_a_mandatory_member_is_refused)
{
    assert_broken("too-short", "build it against the headers of this version");
    assert_broken("undescribed", "no version, description or discover");
}

/* ---- what is wrong with it ---- */

Test(source_loader, table_of_another_name_is_refused)
{
    assert_broken("misnamed", "name is not the name of the file");
}

Test(source_loader, option_that_does_not_begin_with_the_name_of_its_source_is_refused)
{
    assert_broken("outside", "its option 'outsider-level' must begin with 'outside-'");
}

Test(source_loader, option_of_another_source_from_before_that_rule_is_refused)
{
    assert_broken("upstream", "its option 'overcommit-vcpu' must begin with 'upstream-'");
}

Test(source_loader, library_without_a_table_is_refused)
{
    assert_broken("no-symbol", "exports no " LVP_SOURCE_SYMBOL);
}

Test(source_loader, source_that_cannot_give_back_is_refused)
{
    assert_broken("half-effects", "not all of commit, rollback and restore");
}

Test(source_loader, source_that_cannot_be_destroyed_is_refused)
{
    assert_broken("half-life", "only one of create and destroy");
}

Test(source_loader, missing_function_is_noticed_when_it_is_loaded)
{
    assert_broken("unresolved", "lvp_not_in_this_version");
}

Test(source_loader, file_that_is_no_library_is_refused)
{
    lvp_scratch_write(scratch, "one/good.so", "no library");
    assert_refused("good", LVP_ERROR_SOURCE, "cannot load source ");
}

/* ---- whose it is ---- */

Test(source_loader, file_that_others_may_write_is_refused)
{
    copy_module(scratch, "one", "good");
    set_mode("one/good.so", 0664);
    assert_refused("good", LVP_ERROR_SOURCE, "writable by nobody else");
    set_mode("one/good.so", 0646);
    assert_refused("good", LVP_ERROR_SOURCE, "mode 0646");
}

Test(source_loader, folder_that_others_may_write_is_refused)
{
    copy_module(scratch, "one", "good");
    set_mode("one", 0775);
    assert_refused("good", LVP_ERROR_SOURCE, "/one must belong to root");
    set_mode("one", 0757);
    assert_refused("good", LVP_ERROR_SOURCE, "/one must belong to root");
}

Test(source_loader, folder_far_above_that_others_may_write_is_refused)
{
    lvp_scratch_make_folder(scratch, "one/a/b");
    copy_module(scratch, "one/a/b", "good");
    set_mode("one", 0777);
    g_autofree char *deep = lvp_scratch_get_path(scratch, "one/a/b");
    const char *const DEEP[] = {deep, NULL};
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_source_loader_load(DEEP, "good", &error));
    assert_error(error, LVP_ERROR_SOURCE);
}

Test(source_loader, sticky_folder_is_trusted)
{
    copy_module(scratch, "one", "good");
    set_mode("one", 01777);
    g_autoptr(LvpModule) module = load("good");
    cr_assert_not_null(module);
}

Test(source_loader, link_to_a_file_that_others_may_write_is_refused)
{
    copy_module(scratch, "two", "good");
    lvp_scratch_link_text(scratch, "one/good.so", "../two/good.so");
    set_mode("two", 0777);
    assert_refused("good", LVP_ERROR_SOURCE, "/two must belong to root");
}

Test(source_loader, file_of_another_user_is_refused)
{
    if (geteuid() != 0)
        cr_skip_test("only root can give a file away");
    copy_module(scratch, "one", "good");
    g_autofree char *path = lvp_scratch_get_path(scratch, "one/good.so");
    cr_assert_eq(chown(path, NOBODY, NOBODY), 0);
    assert_refused("good", LVP_ERROR_SOURCE, "owner 65534");
}
