package controller

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// events tells the API server of every move.
//
// It creates events itself. The recorder of client-go merges events that share
// object and reason within six minutes into a series, and keeps the first one's
// note: of ten moves nine would lose their reasons.
type events struct {
	client client.Client
	log    logr.Logger
	// onTarget attaches events to the target, for want of a LoadScaler in the cluster.
	onTarget bool
}

// eventTimeout bounds the wait for an event that the API server does not take:
// a move must not be held up by telling of it.
const eventTimeout = 5 * time.Second

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// moved creates the one event of a move.
func (e events) moved(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick) {
	from, to := tick.Observation.Replicas, tick.Decision.Replicas
	reason := "ScaledUp"
	if to < from {
		reason = "ScaledDown"
	}
	event := e.about(ls, m, corev1.EventTypeNormal, reason)
	event.EventTime = metav1.NewMicroTime(tick.Observation.Now)
	event.Note = note(from, to, tick.Decision)
	e.create(ctx, event)
}

// warn creates an event of something that should not have happened.
func (e events) warn(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, reason, note string) {
	event := e.about(ls, m, corev1.EventTypeWarning, reason)
	event.EventTime, event.Note = metav1.NowMicro(), short(note)
	e.create(ctx, event)
}

func (e events) about(ls *v1alpha1.LoadScaler, m *memory, kind, reason string) *eventsv1.Event {
	host, _ := os.Hostname()
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: ls.Namespace, GenerateName: ls.Name + "-"},
		ReportingController: "cusme.dev/cusme",
		ReportingInstance:   "cusme-" + host,
		Action:              "Scale",
		Reason:              reason,
		Type:                kind,
		Regarding:           e.regarding(ls, m),
	}
}

// create hands an event in. An error is logged, and no more: what it tells of has happened.
func (e events) create(ctx context.Context, event *eventsv1.Event) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	if err := e.client.Create(ctx, event); err != nil {
		e.log.Info("an event was not taken", "reason", event.Reason, "note", event.Note, "error", err.Error())
	}
}

// regarding names what the event is about, with its UID: kubectl describe shows no other events.
func (e events) regarding(ls *v1alpha1.LoadScaler, m *memory) corev1.ObjectReference {
	if e.onTarget {
		t := m.target
		return corev1.ObjectReference{APIVersion: t.APIVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: m.targetUID}
	}
	return corev1.ObjectReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "LoadScaler",
		Namespace: ls.Namespace, Name: ls.Name, UID: ls.UID, ResourceVersion: ls.ResourceVersion,
	}
}

// note tells a move with all its reasons, and the pods it takes.
func note(from, to int32, d scaling.Decision) string {
	var why []string
	for _, r := range d.Reasons {
		why = append(why, fmt.Sprintf("%s: %s", r.Step, r.Why))
	}
	s := fmt.Sprintf("%d -> %d replicas; %s", from, to, strings.Join(why, "; "))
	if len(d.Lose) > 0 {
		s += "; removing " + strings.Join(d.Lose, ", ")
	}
	return short(s)
}

// short cuts a note to the 1024 bytes it may have.
func short(s string) string {
	if len(s) > 1024 {
		s = strings.ToValidUTF8(s[:1021], "") + "..."
	}
	return s
}
