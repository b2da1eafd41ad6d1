package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cusme.dev/cusme/internal/scaling"
)

// leavers are pods that are being deleted and still work.
func leavers(n int32) []scaling.Pod {
	pods := make([]scaling.Pod, n)
	for i := range pods {
		name := fmt.Sprintf("leaving %d", i+1) // No pod's name has a space.
		pods[i] = scaling.Pod{Name: name, UID: name, Node: "unnamed", Phase: scaling.PhaseRunning, Ready: true, Busy: scaling.Working, Leaving: true}
	}
	return pods
}

// choice says how the pods to remove are chosen from a target of a kind, and by
// whom where it is not cusme, as internal/target says of a cluster's.
func choice(kind string, pods []scaling.Pod) (scaling.Order, string, error) {
	switch kind {
	case "", "Deployment", "ReplicaSet":
		order, by := byCosts(pods)
		return order, by, nil
	case "StatefulSet":
		return scaling.OrderOrdinal, "a StatefulSet (highest ordinals first)", ordain(pods)
	}
	return scaling.OrderUnknown, fmt.Sprintf("the controller of kind %s, by rules of its own,", kind), nil
}

// byCosts is the choice by deletion costs, which is cusme's while nobody else sets any.
func byCosts(pods []scaling.Pod) (scaling.Order, string) {
	foreign := slices.DeleteFunc(slices.Clone(pods), func(p scaling.Pod) bool { return p.Leaving || p.Cost == 0 || p.Marked })
	if len(foreign) == 0 {
		return scaling.OrderCost, ""
	}
	first := slices.MinFunc(foreign, func(a, b scaling.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return scaling.OrderUnknown, "whoever set the deletion cost of pod " + first.Name
}

// ordain numbers the pods of a StatefulSet by their names.
func ordain(pods []scaling.Pod) error {
	for i, p := range pods {
		n, err := strconv.ParseInt(p.Name[strings.LastIndexByte(p.Name, '-')+1:], 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("pods[%d].name: expected a name as StatefulSets give, such as web-0, got %q", i, p.Name)
		}
		pods[i].Ordinal = int32(n)
	}
	return nil
}

// costs are the deletion costs that have to be set before the replicas: below
// all others on the pods to lose, on every one of them, whether or not it would
// go first in any case. Marks of a scale-in that was called off are taken back.
func costs(t scaling.Tick, removing bool) map[string]int32 {
	set := map[string]int32{}
	if t.Observation.Order != scaling.OrderCost {
		return set
	}
	for _, p := range t.Observation.Pods {
		if p.Marked && !p.Leaving && !removing {
			set[p.Name] = 0
		}
	}
	for _, name := range t.Decision.Lose {
		set[name] = scaling.MarkedCost
	}
	return set
}
