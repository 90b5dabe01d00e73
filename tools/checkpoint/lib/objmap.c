// SPDX-License-Identifier: LGPL-2.1
/*
 * Object references seen in an image. They come from the image, so they are no
 * index of an array: the map grows with the records read, not with the numbers
 * in them.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static struct objmap_slot *find_slot(const struct objmap *map, __u32 objref)
{
	size_t i = (objref * 2654435761U) & (map->size - 1);

	while (map->slot[i].objref && map->slot[i].objref != objref)
		i = (i + 1) & (map->size - 1);
	return &map->slot[i];
}

static int grow(struct objmap *map)
{
	struct objmap bigger = { .size = map->size ? map->size * 2 : 64 };
	size_t i;

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -1;
	for (i = 0; i < map->size; i++)
		if (map->slot[i].objref)
			*find_slot(&bigger, map->slot[i].objref) = map->slot[i];
	free(map->slot);
	map->slot = bigger.slot;
	map->size = bigger.size;
	return 0;
}

/* 0, or -1 with EEXIST if the reference is taken. */
int objmap_add(struct objmap *map, __u32 objref, __u32 type)
{
	struct objmap_slot *slot;

	if (map->used * 2 >= map->size && grow(map))
		return -1;
	slot = find_slot(map, objref);
	if (slot->objref) {
		errno = EEXIST;
		return -1;
	}
	slot->objref = objref;
	slot->type = type;
	map->used++;
	if (objref > map->highest)
		map->highest = objref;
	return 0;
}

/* Type of the record that defined @objref, 0 if none did. */
__u32 objmap_find(const struct objmap *map, __u32 objref)
{
	if (!map->size || !objref)
		return 0;
	return find_slot(map, objref)->type;
}
