package elastic

// fargate is AWS Fargate in an EKS cluster: one node for each pod, no GPUs.
// The taint of the same key is no mark, because its value would have to be
// read: operators taint their own machines, the hybrid nodes, with
// eks.amazonaws.com/compute-type=hybrid.
//
// A pod without capacity has no node yet, so no sign of it could be looked for:
// it stays Pending and unassigned, and an event tells why.
var fargate = Provider{
	Name:   "fargate",
	Labels: []Label{{Key: "eks.amazonaws.com/compute-type", Value: "fargate"}},
}
