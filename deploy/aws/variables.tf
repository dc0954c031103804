variable "name" {
  description = "What every resource's name begins with: 1 to 16 lower case letters, digits and hyphens."
  type        = string
  default     = "sallyport"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "Use 1 to 16 lower case letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "Where players connect to. CloudFront's parts are in us-east-1 all the same."
  type        = string
}

variable "cidr" {
  description = "The private network's addresses, a /16."
  type        = string
  default     = "10.42.0.0/16"
}

variable "zones" {
  description = "In how many availability zones everything runs, at least 2."
  type        = number
  default     = 2
  validation {
    condition     = var.zones >= 2 && var.zones <= 4
    error_message = "Use 2 to 4 zones."
  }
}

variable "api_domain" {
  description = "The name of Nakama's HTTP API as players see it, such as api.game.example. Point it at the output api_cname."
  type        = string
}

variable "origin_domain" {
  description = "The name by which CloudFront reaches the application load balancer, such as origin.game.example. Point it at the output origin_cname."
  type        = string
}

variable "api_certificate_arn" {
  description = "The certificate of api_domain in Certificate Manager, in us-east-1."
  type        = string
}

variable "origin_certificate_arn" {
  description = "The certificate of origin_domain in Certificate Manager, in region."
  type        = string
}

variable "origin_secret" {
  description = "What CloudFront shows the load balancer, so that nobody goes round it: 32 to 128 random letters and digits. It is in the state, which therefore has to be encrypted."
  type        = string
  sensitive   = true
  validation {
    # The load balancer takes * and ? for patterns, and compares 128 characters at most.
    condition     = can(regex("^[A-Za-z0-9]{32,128}$", var.origin_secret))
    error_message = "Use 32 to 128 letters and digits, chosen at random."
  }
}

variable "websocket_certificate_arn" {
  description = "The certificate with which the network load balancer ends TLS of Nakama's WebSockets. Null passes TCP through, and what is behind ends TLS. Gateways end theirs themselves."
  type        = string
  default     = null
}

variable "allowed" {
  description = "What of Nakama's HTTP API the load balancer lets through; everything else is 403. The number is the rule's priority. Do not open /v2/* whole: its link and device calls let a player claim another's account."
  type = map(object({
    priority = number
    path     = string
    methods  = list(string)
  }))
  default = {
    health     = { priority = 10, path = "/healthcheck", methods = ["GET"] }
    sign_in    = { priority = 20, path = "/v2/account/authenticate/custom", methods = ["POST", "OPTIONS"] }
    refresh    = { priority = 30, path = "/v2/account/session/refresh", methods = ["POST", "OPTIONS"] }
    sign_out   = { priority = 40, path = "/v2/session/logout", methods = ["POST", "OPTIONS"] }
    account    = { priority = 50, path = "/v2/account", methods = ["GET", "OPTIONS"] }
    rpc        = { priority = 60, path = "/v2/rpc/*", methods = ["GET", "POST", "OPTIONS"] }
    matches    = { priority = 70, path = "/v2/match", methods = ["GET", "OPTIONS"] }
    scoreboard = { priority = 80, path = "/v2/leaderboard/*", methods = ["GET", "OPTIONS"] }
  }
}

variable "requests_per_address" {
  description = "Requests that the firewall lets through from one address within five minutes."
  type        = number
  default     = 1000
}

variable "nakama_image" {
  description = "Nakama with your modules, by digest. One of them has to verify Cognito's token at the sign-in, as nakamabridge does: without it whoever knows a player's custom id is that player."
  type        = string
}

variable "gateway_image" {
  description = "The image of deploy/Dockerfile with PROGRAM=sallyport-gateway, by digest."
  type        = string
}

variable "tools_image" {
  description = "An image with a shell, which writes the gateway's secrets to files before it starts, by digest."
  type        = string
  default     = "public.ecr.aws/docker/library/busybox:1.37"
}

variable "nakama_tasks" {
  description = "How many Nakama servers run. The open-source Nakama is a single node: leave it at 1 unless you have Nakama Enterprise."
  type        = number
  default     = 1
}

variable "gateway_tasks" {
  description = "How many gateways run. A player whose gateway ends signs in anew, and so does one who comes to another gateway: from a new address, or by WebSocket in place of UDP."
  type        = number
  default     = 2
}

variable "gateway_arguments" {
  description = "Further flags of sallyport-gateway."
  type        = list(string)
  default     = []
}

variable "database_secret_arn" {
  description = "A secret of Secrets Manager: Nakama's database address, user:password@host:5432/nakama?sslmode=verify-full. The database is yours."
  type        = string
}

variable "database_security_group_id" {
  description = "The security group of that database, to which Nakama gets a way."
  type        = string
}

variable "nakama_secrets_arn" {
  description = "A secret of Secrets Manager in JSON: server_key, session_key, refresh_key, http_key and console_password. Choose all five: Nakama's defaults are known to everybody. session_key has 32 bytes or more: gateways do not start with less."
  type        = string
}

variable "gateway_secrets_arn" {
  description = "A secret of Secrets Manager in JSON: certificate, key (PEM, for the players' DTLS), fleet_keys (as sallyport-server -new-fleet-key prints them) and session_key, the same as in nakama_secrets_arn."
  type        = string
}

variable "callback_urls" {
  description = "Where Cognito's hosted sign-in may return to. Empty: it is not used, and players sign in by SRP alone."
  type        = list(string)
  default     = []
}
