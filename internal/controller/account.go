package controller

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// accountOf writes an account into a status, in whole seconds.
func accountOf(a scaling.Account) v1alpha1.Account {
	out := v1alpha1.Account{
		ElasticSeconds:   int64(a.Elastic / time.Second),
		ProtectedSeconds: int64(a.Waited / time.Second),
		RemovedPods:      a.Removed,
		MissedPods:       a.Missed,
		YoungPods: v1alpha1.YoungPods{
			Cusme:    a.Young[scaling.ByCusme],
			Rollout:  a.Young[scaling.ByRollout],
			Eviction: a.Young[scaling.ByEviction],
			Outside:  a.Young[scaling.ByOutside],
		},
	}
	if !a.Until.IsZero() {
		out.Until = &metav1.Time{Time: a.Until.Truncate(time.Second)}
	}
	return out
}

// accountFrom reads back what a cusme before this one has written.
func accountFrom(s v1alpha1.Account) scaling.Account {
	a := scaling.Account{
		Elastic: time.Duration(s.ElasticSeconds) * time.Second,
		Waited:  time.Duration(s.ProtectedSeconds) * time.Second,
		Removed: s.RemovedPods,
		Missed:  s.MissedPods,
		Young: map[scaling.Cause]int64{
			scaling.ByCusme:    s.YoungPods.Cusme,
			scaling.ByRollout:  s.YoungPods.Rollout,
			scaling.ByEviction: s.YoungPods.Eviction,
			scaling.ByOutside:  s.YoungPods.Outside,
		},
	}
	if s.Until != nil {
		a.Until = s.Until.Time
	}
	return a
}
