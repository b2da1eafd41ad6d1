package elastic

// tkeSuperNode is Tencent Cloud's super node in a TKE cluster, once called
// virtual node. The vendor's documents (457/40027, 457/45561) have pods select
// the label and tolerate the taint, whatever its value.
//
// Stock and addresses that ran out show in an event only: FailedCreatePodSandBox,
// "insufficient resource" (457/41742), while the pod stays Pending and is tried again.
var tkeSuperNode = Provider{
	Name:   "tke-supernode",
	Labels: []Label{{Key: "node.kubernetes.io/instance-type", Value: "eklet"}},
	Taints: []string{"eks.tke.cloud.tencent.com/eklet"},
}
