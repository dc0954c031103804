# Who may reach whom, one rule for each path. The ports are the programs' defaults, and a test holds them
# together.
locals {
  ports = {
    players   = 7777 # the gateway's UDP port
    websocket = 7443 # its WebSockets, for players whose network lets no UDP pass
    status    = 7780 # its health checks
    nakama    = 7350 # Nakama's HTTP API and WebSockets
  }
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_security_group" "api" {
  name_prefix = "${var.name}-api-"
  description = "The application load balancer"
  vpc_id      = aws_vpc.main.id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "edge" {
  name_prefix = "${var.name}-edge-"
  description = "The network load balancer of gateways"
  vpc_id      = aws_vpc.main.id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "sockets" {
  name_prefix = "${var.name}-sockets-"
  description = "The network load balancer of Nakama"
  vpc_id      = aws_vpc.main.id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "nakama" {
  name_prefix = "${var.name}-nakama-"
  description = "Nakama"
  vpc_id      = aws_vpc.main.id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "gateway" {
  name_prefix = "${var.name}-gateway-"
  description = "Gateways"
  vpc_id      = aws_vpc.main.id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "api_from_cloudfront" {
  security_group_id = aws_security_group.api.id
  description       = "CloudFront, and nobody else"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "api_to_nakama" {
  security_group_id            = aws_security_group.api.id
  description                  = "Nakama"
  referenced_security_group_id = aws_security_group.nakama.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_ingress_rule" "edge_players" {
  security_group_id = aws_security_group.edge.id
  description       = "Players by UDP"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "udp"
  from_port         = local.ports.players
  to_port           = local.ports.players
}

resource "aws_vpc_security_group_ingress_rule" "edge_websockets" {
  security_group_id = aws_security_group.edge.id
  description       = "Players whose network lets no UDP pass"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "sockets_players" {
  security_group_id = aws_security_group.sockets.id
  description       = "WebSockets of Nakama"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "edge_to_gateway" {
  security_group_id            = aws_security_group.edge.id
  description                  = "Gateways by UDP"
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "udp"
  from_port                    = local.ports.players
  to_port                      = local.ports.players
}

resource "aws_vpc_security_group_egress_rule" "edge_to_gateway_websocket" {
  security_group_id            = aws_security_group.edge.id
  description                  = "Gateways by WebSocket"
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.websocket
  to_port                      = local.ports.websocket
}

resource "aws_vpc_security_group_egress_rule" "edge_to_gateway_status" {
  security_group_id            = aws_security_group.edge.id
  description                  = "Health checks of gateways"
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.status
  to_port                      = local.ports.status
}

resource "aws_vpc_security_group_egress_rule" "sockets_to_nakama" {
  security_group_id            = aws_security_group.sockets.id
  description                  = "WebSockets to Nakama"
  referenced_security_group_id = aws_security_group.nakama.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_ingress_rule" "gateway_players" {
  security_group_id            = aws_security_group.gateway.id
  description                  = "Players, by the network load balancer"
  referenced_security_group_id = aws_security_group.edge.id
  ip_protocol                  = "udp"
  from_port                    = local.ports.players
  to_port                      = local.ports.players
}

resource "aws_vpc_security_group_ingress_rule" "gateway_websocket" {
  security_group_id            = aws_security_group.gateway.id
  description                  = "Players by WebSocket, likewise"
  referenced_security_group_id = aws_security_group.edge.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.websocket
  to_port                      = local.ports.websocket
}

resource "aws_vpc_security_group_ingress_rule" "gateway_status" {
  security_group_id            = aws_security_group.gateway.id
  description                  = "Health checks"
  referenced_security_group_id = aws_security_group.edge.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.status
  to_port                      = local.ports.status
}

resource "aws_vpc_security_group_egress_rule" "gateway_to_nakama" {
  security_group_id            = aws_security_group.gateway.id
  description                  = "A WebSocket to Nakama for each player"
  referenced_security_group_id = aws_security_group.nakama.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_egress_rule" "gateway_https" {
  security_group_id = aws_security_group.gateway.id
  description       = "Cognito's keys, images, secrets, logs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "nakama_from_api" {
  security_group_id            = aws_security_group.nakama.id
  description                  = "The HTTP API"
  referenced_security_group_id = aws_security_group.api.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_ingress_rule" "nakama_from_sockets" {
  security_group_id            = aws_security_group.nakama.id
  description                  = "WebSockets of players"
  referenced_security_group_id = aws_security_group.sockets.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_ingress_rule" "nakama_from_gateway" {
  security_group_id            = aws_security_group.nakama.id
  description                  = "WebSockets of gateways"
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.nakama
  to_port                      = local.ports.nakama
}

resource "aws_vpc_security_group_egress_rule" "nakama_https" {
  security_group_id = aws_security_group.nakama.id
  description       = "Cognito's keys, images, secrets, logs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "nakama_database" {
  security_group_id            = aws_security_group.nakama.id
  description                  = "The database"
  referenced_security_group_id = var.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "database_from_nakama" {
  security_group_id            = var.database_security_group_id
  description                  = "Nakama"
  referenced_security_group_id = aws_security_group.nakama.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
