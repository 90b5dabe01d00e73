// SPDX-License-Identifier: GPL-2.0
/*
 * Credentials. A restart gives nobody what other system calls would not: ids
 * and capabilities of an image are taken only as far as the restarter could
 * have set them with setresuid(), setgroups(), capset() and prctl().
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched/user.h>
#include <linux/securebits.h>
#include <linux/security.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "checkpoint.h"

static int checkpoint_cred(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	const struct cred *cred = ptr;
	const struct group_info *gi = cred->group_info;
	struct user_namespace *ns = cred->user_ns;
	struct ckpt_rec_cred *rec;
	int err = 0, i;
	u32 *groups;
	u32 userns;

	userns = ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, &ns->ns, &err);
	if (err)
		return err;
	rec = ckpt_rec_new(ctx, cred, CKPT_REC_CRED,
			   array_size(gi->ngroups, sizeof(u32)));
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->userns = userns;
	rec->uid = from_kuid_munged(ns, cred->uid);
	rec->gid = from_kgid_munged(ns, cred->gid);
	rec->suid = from_kuid_munged(ns, cred->suid);
	rec->sgid = from_kgid_munged(ns, cred->sgid);
	rec->euid = from_kuid_munged(ns, cred->euid);
	rec->egid = from_kgid_munged(ns, cred->egid);
	rec->fsuid = from_kuid_munged(ns, cred->fsuid);
	rec->fsgid = from_kgid_munged(ns, cred->fsgid);
	rec->securebits = cred->securebits;
	rec->cap_inheritable = cred->cap_inheritable.val;
	rec->cap_permitted = cred->cap_permitted.val;
	rec->cap_effective = cred->cap_effective.val;
	rec->cap_bset = cred->cap_bset.val;
	rec->cap_ambient = cred->cap_ambient.val;
	rec->nr_groups = gi->ngroups;
	groups = ckpt_rec_var(rec);
	for (i = 0; i < gi->ngroups; i++)
		groups[i] = from_kgid_munged(ns, gi->gid[i]);
	return 0;
}

/**
 * ckpt_uid_allowed - may somebody have a user id by setresuid()?
 * @old: who
 * @uid: the id
 * @cap: has CAP_SETUID
 *
 * Return: true if so.
 */
bool ckpt_uid_allowed(const struct cred *old, kuid_t uid, bool cap)
{
	return uid_valid(uid) &&
	       (cap || uid_eq(uid, old->uid) || uid_eq(uid, old->euid) ||
		uid_eq(uid, old->suid));
}

/**
 * ckpt_gid_allowed - may somebody have a group id by setresgid()?
 * @old: who
 * @gid: the id
 * @cap: has CAP_SETGID
 *
 * Return: true if so.
 */
bool ckpt_gid_allowed(const struct cred *old, kgid_t gid, bool cap)
{
	return gid_valid(gid) &&
	       (cap || gid_eq(gid, old->gid) || gid_eq(gid, old->egid) ||
		gid_eq(gid, old->sgid));
}

static int restore_ids(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       struct cred *new)
{
	const struct ckpt_rec_cred *rec = ckpt_rec_as(r, cred);
	const struct cred *old = current_cred();
	struct user_namespace *ns = old->user_ns;
	bool setuid = ns_capable(ns, CAP_SETUID);
	bool setgid = ns_capable(ns, CAP_SETGID);

	new->uid = make_kuid(ns, rec->uid);
	new->euid = make_kuid(ns, rec->euid);
	new->suid = make_kuid(ns, rec->suid);
	new->fsuid = make_kuid(ns, rec->fsuid);
	new->gid = make_kgid(ns, rec->gid);
	new->egid = make_kgid(ns, rec->egid);
	new->sgid = make_kgid(ns, rec->sgid);
	new->fsgid = make_kgid(ns, rec->fsgid);
	if (!ckpt_uid_allowed(old, new->uid, setuid) ||
	    !ckpt_uid_allowed(old, new->euid, setuid) ||
	    !ckpt_uid_allowed(old, new->suid, setuid) ||
	    !ckpt_uid_allowed(old, new->fsuid, setuid))
		return ckpt_bad(rs, r, -EPERM,
				"you may not become user %u (effective %u, saved %u)",
				rec->uid, rec->euid, rec->suid);
	if (!ckpt_gid_allowed(old, new->gid, setgid) ||
	    !ckpt_gid_allowed(old, new->egid, setgid) ||
	    !ckpt_gid_allowed(old, new->sgid, setgid) ||
	    !ckpt_gid_allowed(old, new->fsgid, setgid))
		return ckpt_bad(rs, r, -EPERM,
				"you may not become group %u (effective %u, saved %u)",
				rec->gid, rec->egid, rec->sgid);
	return 0;
}

static bool ckpt_same_groups(const struct group_info *a,
			     const struct group_info *b)
{
	int i;

	if (a->ngroups != b->ngroups)
		return false;
	for (i = 0; i < a->ngroups; i++)
		if (!gid_eq(a->gid[i], b->gid[i]))
			return false;
	return true;
}

static int restore_groups(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct cred *new)
{
	const struct ckpt_rec_cred *rec = ckpt_rec_as(r, cred);
	const u32 *groups = r->var;
	struct group_info *gi;
	int ret = 0;
	u32 i;

	if (rec->nr_groups > NGROUPS_MAX ||
	    r->var_len / sizeof(u32) < rec->nr_groups)
		return ckpt_bad(rs, r, -EINVAL, "%u supplementary groups", rec->nr_groups);
	gi = groups_alloc(rec->nr_groups);
	if (!gi)
		return -ENOMEM;
	for (i = 0; i < rec->nr_groups; i++) {
		gi->gid[i] = make_kgid(new->user_ns, groups[i]);
		if (!gid_valid(gi->gid[i])) {
			ret = ckpt_bad(rs, r, -EINVAL, "group %u does not exist here", groups[i]);
			goto out;
		}
	}
	groups_sort(gi);
	if (!ckpt_same_groups(gi, new->group_info)) {
		if (may_setgroups())
			set_groups(new, gi);
		else
			ret = ckpt_bad(rs, r, -EPERM, "you may not set its supplementary groups");
	}
out:
	put_group_info(gi);
	return ret;
}

static int restore_caps_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_cred *rec = ckpt_rec_as(r, cred);
	const struct cred *old = current_cred();
	u64 all = rec->cap_permitted | rec->cap_inheritable |
		  rec->cap_effective | rec->cap_bset | rec->cap_ambient;
	bool setpcap = ns_capable(old->user_ns, CAP_SETPCAP);

	if (all & ~CAP_VALID_MASK)
		return ckpt_bad(rs, r, -EINVAL, "capabilities 0x%llx are unknown here",
				all & ~CAP_VALID_MASK);
	if (rec->cap_effective & ~rec->cap_permitted ||
	    rec->cap_ambient & ~(rec->cap_permitted & rec->cap_inheritable))
		return ckpt_bad(rs, r, -EINVAL, "the capability sets contradict each other");
	if (rec->cap_permitted & ~old->cap_permitted.val ||
	    rec->cap_inheritable & ~(old->cap_inheritable.val |
				     (setpcap ? old->cap_bset.val :
						old->cap_permitted.val & old->cap_bset.val)) ||
	    rec->cap_bset & ~old->cap_bset.val)
		return ckpt_bad(rs, r, -EPERM,
				"it has capabilities that you have not (permitted 0x%llx, yours 0x%llx)",
				rec->cap_permitted, old->cap_permitted.val);
	if ((rec->cap_bset != old->cap_bset.val ||
	     rec->securebits != old->securebits) && !setpcap)
		return ckpt_bad(rs, r, -EPERM, "its bounding set or securebits take CAP_SETPCAP");
	if (rec->securebits & ~(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return ckpt_bad(rs, r, -EINVAL, "unknown securebits");
	/* Locked securebits of the restarter stay as they are, and locked. */
	if ((((old->securebits & SECURE_ALL_LOCKS) >> 1) &
	     (old->securebits ^ rec->securebits)) ||
	    (old->securebits & SECURE_ALL_LOCKS & ~rec->securebits))
		return ckpt_bad(rs, r, -EPERM, "its securebits differ from your locked ones");
	if ((old->securebits & issecure_mask(SECURE_NO_CAP_AMBIENT_RAISE)) &&
	    rec->cap_ambient & ~old->cap_ambient.val)
		return ckpt_bad(rs, r, -EPERM, "your securebits forbid its ambient capabilities");

	return 0;
}

/* After the ids: changing these takes capabilities away, as setresuid() does. */
static void restore_caps(const struct ckpt_rec *r, struct cred *new)
{
	const struct ckpt_rec_cred *rec = ckpt_rec_as(r, cred);

	new->cap_permitted.val = rec->cap_permitted;
	new->cap_inheritable.val = rec->cap_inheritable;
	new->cap_effective.val = rec->cap_effective;
	new->cap_bset.val = rec->cap_bset;
	new->cap_ambient.val = rec->cap_ambient;
	new->securebits = rec->securebits;
}

static int restore_user(struct cred *new)
{
	struct user_struct *user = alloc_uid(new->uid);
	int ret;

	if (!user)
		return -EAGAIN;
	free_uid(new->user);
	new->user = user;
	ret = security_task_fix_setuid(new, current_cred(), LSM_SETID_RES);
	if (!ret)
		ret = security_task_fix_setgid(new, current_cred(),
					       LSM_SETID_RES);
	return ret ?: set_cred_ucounts(new);
}

static void *restore_cred(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_cred *rec = ckpt_rec_as(r, cred);
	struct cred *new;
	void *ns;
	int ret;

	ns = ckpt_obj_restore(rs, CKPT_OBJ_NS, rec->userns);
	if (IS_ERR(ns))
		return ns;
	new = prepare_creds();
	if (!new)
		return ERR_PTR(-ENOMEM);
	ret = restore_ids(rs, r, new);
	if (!ret)
		ret = restore_groups(rs, r, new);
	if (!ret)
		ret = restore_caps_check(rs, r);
	if (!ret) {
		ret = restore_user(new);
		if (ret)
			ckpt_bad(rs, r, ret, "its user cannot be set up");
	}
	if (!ret)
		restore_caps(r, new);
	if (ret) {
		abort_creds(new);
		return ERR_PTR(ret);
	}
	return new;
}

static void ckpt_cred_grab(void *ptr)
{
	get_cred((const struct cred *)ptr);
}

static void ckpt_cred_drop(void *ptr)
{
	put_cred((const struct cred *)ptr);
}

const struct ckpt_obj_ops ckpt_ops_CRED = {
	.rec_type = CKPT_REC_CRED,
	.grab = ckpt_cred_grab,
	.drop = ckpt_cred_drop,
	.checkpoint = checkpoint_cred,
	.restore = restore_cred,
};
