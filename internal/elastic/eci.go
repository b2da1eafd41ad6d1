package elastic

import corev1 "k8s.io/api/core/v1"

// eci is Alibaba Cloud's Elastic Container Instance in an ACK cluster. Its
// label and its taint's key are those of every virtual-kubelet, which leaves
// the names: one node per zone, such as virtual-kubelet-cn-hangzhou-i in the
// vendor's page on elastic workloads, and virtual-kubelet-ap-southeast-5a in a
// user's listing. Other regions have not been seen, and are only known as
// virtual-kubelet. The vendor's ACS gives its nodes the same names. JD Cloud's
// zones have a digit where these have a dash (virtual-kubelet-cn-east-2a).
var eci = Provider{
	Name:  "eci",
	Names: []string{"virtual-kubelet-cn-*-[a-z]", "virtual-kubelet-ap-*-[0-9][a-z]"},

	Refusals: eciRefusals,
	Notices:  eciNotices,
}

// eciRefusals stand in a condition of ECI's own; the vendor's page
// eci-custom-condition lists its reasons, and the example in its page on
// eci-fail-strategy has them with a prefix ("ContainerGroup.NoStock"). By
// default such a pod stays Pending and ECI keeps trying; with the strategy
// fail-fast the reason of the pod tells as well. The condition is looked at
// first, because only there stands what was missing. Creating, overload and
// mistakes in the pod are no refusals, and no reason is documented for a vSwitch
// without addresses. StockExhaust warns; it refuses only what was not created.
var eciRefusals = []Sign{
	{
		Condition: "ContainerInstanceCreated",
		Status:    corev1.ConditionFalse,
		Reasons:   []string{"NoStock", "StockExhaust", "StockClose", "DiskCapacityQuotaFull"},
	},
	{Reasons: []string{"ContainerInstanceScheduleFailed"}},
}

// eciNotices come about three minutes before a spot instance is released, with
// the event SpotToBeReleased. The first needs ack-virtual-node 2.11.0 or later
// (the page create-a-preemptible-elastic-container-instance); the second is in
// eci-custom-condition, without a word on the condition's status.
var eciNotices = []Sign{
	{Condition: "ContainerInstanceExpired", Status: corev1.ConditionTrue},
	{Condition: "ContainerInstanceCreated", Reasons: []string{"SpotToBeReleased"}},
}
