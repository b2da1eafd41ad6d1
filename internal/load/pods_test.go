package load

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// podsKind holds the number in a metric of the only pod.
var podsKind = kind{
	open: func(t *testing.T, s site) func() scaling.Reading {
		return byAsking(func(s site) v1alpha1.Load {
			spec := &v1alpha1.PodsSource{Port: portOf(t, s.url), Metric: &v1alpha1.PodMetric{Name: "load"}, Connection: s.connection}
			if strings.HasPrefix(s.url, "https") {
				spec.Scheme = "HTTPS"
			}
			return v1alpha1.Load{Name: "backend", Pods: spec}
		})(t, s)
	},
	says: func(number string, at time.Time) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
			if number != "" {
				fmt.Fprintf(w, "# TYPE load gauge\nload{gpu=\"0\"} %s\n", number)
			}
		})
	},
	cannot: map[string]string{
		"time/an hour ahead": "a pod's Date makes its answer older, and never newer",
		"credentials":        "credentials are not brought yet",
		"tls/known":          "authorities are not read from Secrets yet",
	},
}
