package v1alpha1

// PushSource is a load that the application sends by itself when it changes, to POST /v1/loads/{namespace}/{name} of the
// controller, which must run with --push-address. The sender's account needs the right to create loadscalers/readings.
//
// The application sends at least once per staleAfter, changed or not: silence is not a reading.
type PushSource struct{}
