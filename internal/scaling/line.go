package scaling

import "math"

// A line is the queue in front of a target's pods, as a fluid: requests come, as
// many as there are pods are worked on, and the rest wait. Numbers of requests
// are fractions here, and times are seconds.
type line struct {
	// service is how long a pod works on one request.
	service float64
}

// wait is how long one that comes now waits, with n pods and so many requests before it.
func (l line) wait(requests, n float64) float64 {
	return max(0, requests-n) * l.service / n
}

// after returns the requests that are there after some time, with n pods. demand
// is how many pods the requests that come keep at work.
//
// While none wait, their number nears the demand as 1 - e^(-t/service); while
// some do, it moves along a straight line. It changes from one to the other at most once.
func (l line) after(requests, demand, n, seconds float64) float64 {
	if requests > n || requests == n && demand > n {
		slope := (demand - n) / l.service
		if slope >= 0 || requests+slope*seconds >= n {
			return requests + slope*seconds
		}
		empty := (n - requests) / slope
		return l.nears(n, demand, seconds-empty)
	}
	then := l.nears(requests, demand, seconds)
	if then <= n {
		return then
	}
	full := l.service * math.Log((demand-requests)/(demand-n))
	return n + (demand-n)/l.service*(seconds-full)
}

func (l line) nears(requests, demand, seconds float64) float64 {
	return demand + (requests-demand)*math.Exp(-seconds/l.service)
}
