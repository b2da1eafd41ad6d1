package scaling

import (
	"maps"
	"time"
)

// Names of the estimates that are kept of a load.
const (
	serviceSeconds = "service"
	slackOfWait    = "slack"
	reachLonger    = "longer"
)

// worthKeeping is how long a load was watched before its estimates are kept: sooner they are a stranger's guess.
const worthKeeping = time.Hour

// estimates are what a restart is not to forget of a load.
func (w Workload) estimates() Estimates {
	return Estimates{serviceSeconds: w.service(), slackOfWait: w.Slack, reachLonger: w.times()}
}

// recalled is a load of which only estimates are known, or nothing. They may be anything finite.
func recalled(load string, e Estimates) Workload {
	w := Workload{Load: load, Service: newServiceTime(0), Slack: firstSlack}
	if seconds, known := e[serviceSeconds]; known && seconds > 0 {
		w.Service = newServiceTime(time.Duration(max(shortestService, min(seconds, longestService)) * float64(time.Second)))
	}
	if slack, known := e[slackOfWait]; known {
		w.Slack = max(leastSlack, min(slack, mostSlack))
	}
	w.longer = max(1, min(e[reachLonger], mostLonger))
	return w
}

// keep returns what is learned with the estimates of loads that were watched for long enough.
func (l Learned) keep(loads []Workload) Learned {
	all := maps.Clone(l.Objective)
	for _, w := range loads {
		if w.known < worthKeeping {
			continue
		}
		if all == nil {
			all = map[string]Estimates{}
		}
		all[w.Load] = w.estimates()
	}
	l.Objective = all
	return l
}
