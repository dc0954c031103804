// Package deploy holds what an operator gives to Prometheus and Grafana, for the metrics that
// docs/deploy.md lists. There is no code in it:
//
//	sallyport.rules.yml       rules that Prometheus evaluates, and alerts; each says what to do
//	sallyport.rules.test.yml  their unit tests: promtool test rules sallyport.rules.test.yml
//	grafana.json              a dashboard: import it, and choose the Prometheus that has the rules
//	prometheus.yml            an example of a scrape configuration; the job has to be named sallyport
//
// Its tests have a Prometheus scrape a server with players, and ask it every expression of these
// files.
package deploy
