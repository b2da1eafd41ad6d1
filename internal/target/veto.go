package target

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// vetoLasts is how long a veto is believed. Rights and policies are changed by
// hand; marks tried again at every turn would hold up every scale-in, even the
// one to maxReplicas.
const vetoLasts = 10 * time.Minute

// A veto is the API server's refusal of cusme's marks on a target's pods: the
// right to patch them was taken away, or an admission policy or webhook denied it.
type veto struct {
	reason string
	until  time.Time
}

// passing are refusals that say nothing about the marks themselves: a token
// that ran out, a pod that is gone or changed, a server that has too much to do.
var passing = []int{
	http.StatusUnauthorized,
	http.StatusNotFound,
	http.StatusRequestTimeout,
	http.StatusConflict,
	http.StatusTooManyRequests,
}

// vetoIn returns, in a word or two, why the API server refused; empty for an
// error that is no veto. What went wrong in the server or on the way there, as
// when a webhook cannot be called, may be gone at the next try.
func vetoIn(err error) string {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return ""
	}
	status := answer.Status()
	code := int(status.Code)
	if code < http.StatusBadRequest || code >= http.StatusInternalServerError || slices.Contains(passing, code) {
		return ""
	}
	return cmp.Or(string(status.Reason), http.StatusText(code), strconv.Itoa(code))
}

// noteVeto notes that patching the pods of a target ended in err, if that is a veto.
func (t *Targets) noteVeto(ref Ref, err error) {
	if reason := vetoIn(err); reason != "" {
		t.remember(ref, func(m *memory) { m.veto = veto{reason: reason, until: t.now().Add(vetoLasts)} })
	}
}

// vetoed returns why the API server lately refused cusme's marks on a target's
// pods; empty when it did not.
func (t *Targets) vetoed(ref Ref) (reason string) {
	t.remember(ref, func(m *memory) {
		if t.now().Before(m.veto.until) {
			reason = m.veto.reason
		}
	})
	return reason
}
