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

// moved creates the one event of a move. An error is logged, and no more: the move is made.
func (e events) moved(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	from, to := tick.Observation.Replicas, tick.Decision.Replicas
	reason := "ScaledUp"
	if to < from {
		reason = "ScaledDown"
	}
	host, _ := os.Hostname()
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: ls.Namespace, GenerateName: ls.Name + "-"},
		EventTime:           metav1.NewMicroTime(tick.Observation.Now),
		ReportingController: "cusme.dev/cusme",
		ReportingInstance:   "cusme-" + host,
		Action:              "Scale",
		Reason:              reason,
		Type:                corev1.EventTypeNormal,
		Regarding:           e.regarding(ls, m),
		Note:                note(from, to, tick.Decision.Reasons),
	}
	if err := e.client.Create(ctx, event); err != nil {
		e.log.Info("the move is made, but its event was not taken", "scaler", tick.Scaler, "error", err.Error())
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

// note tells a move with all its reasons, within the 1024 bytes an event's note may have.
func note(from, to int32, reasons []scaling.Reason) string {
	var why []string
	for _, r := range reasons {
		why = append(why, fmt.Sprintf("%s: %s", r.Step, r.Why))
	}
	s := fmt.Sprintf("%d -> %d replicas; %s", from, to, strings.Join(why, "; "))
	if len(s) > 1024 {
		s = strings.ToValidUTF8(s[:1021], "") + "..."
	}
	return s
}
