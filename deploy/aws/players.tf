# The players' ways: to the gateways by UDP, and by WebSocket where a network lets no UDP pass; and to Nakama
# by its own WebSockets. Both WebSockets are at 443, the port that networks let pass, so each has a load
# balancer and a name of its own. Neither changes the address of a player: the library counts strangers by
# their network, and would take all for one otherwise.
resource "aws_lb" "players" {
  name                             = "${var.name}-players"
  load_balancer_type               = "network"
  internal                         = false
  security_groups                  = [aws_security_group.edge.id]
  subnets                          = aws_subnet.public[*].id
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = true
}

resource "aws_lb_target_group" "udp" {
  name               = "${var.name}-udp"
  vpc_id             = aws_vpc.main.id
  target_type        = "ip"
  protocol           = "UDP"
  port               = local.ports.players
  preserve_client_ip = true

  # A player whose port changes stays with the gateway that has the session: another one would have
  # the player sign in anew.
  stickiness {
    enabled = true
    type    = "source_ip"
  }

  # A gateway that ends tells its players so, and they sign in anew; flows that stay are cut.
  deregistration_delay   = 60
  connection_termination = true

  health_check {
    protocol            = "HTTP"
    port                = local.ports.status
    path                = "/ready"
    matcher             = "200"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "udp" {
  load_balancer_arn = aws_lb.players.arn
  protocol          = "UDP"
  port              = local.ports.players
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.udp.arn
  }
}

# TLS is passed through: the gateway ends it, under the certificate of the players' DTLS.
resource "aws_lb_target_group" "carrier" {
  name                   = "${var.name}-carrier"
  vpc_id                 = aws_vpc.main.id
  target_type            = "ip"
  protocol               = "TCP"
  port                   = local.ports.websocket
  preserve_client_ip     = true
  deregistration_delay   = 60
  connection_termination = true

  # As for UDP: a player whose connection breaks comes back to the gateway that has the session.
  stickiness {
    enabled = true
    type    = "source_ip"
  }

  health_check {
    protocol            = "HTTP"
    port                = local.ports.status
    path                = "/ready"
    matcher             = "200"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "carrier" {
  load_balancer_arn = aws_lb.players.arn
  protocol          = "TCP"
  port              = 443
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.carrier.arn
  }
}

resource "aws_lb" "sockets" {
  name                             = "${var.name}-sockets"
  load_balancer_type               = "network"
  internal                         = false
  security_groups                  = [aws_security_group.sockets.id]
  subnets                          = aws_subnet.public[*].id
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = true
}

resource "aws_lb_target_group" "websockets" {
  name               = "${var.name}-ws"
  vpc_id             = aws_vpc.main.id
  target_type        = "ip"
  protocol           = "TCP"
  port               = local.ports.nakama
  preserve_client_ip = true
  health_check {
    protocol = "HTTP"
    path     = "/healthcheck"
    matcher  = "200"
  }
}

# Passed through as it is, or TLS ended here: variable websocket_certificate_arn.
resource "aws_lb_listener" "websockets" {
  load_balancer_arn = aws_lb.sockets.arn
  protocol          = var.websocket_certificate_arn == null ? "TCP" : "TLS"
  port              = 443
  certificate_arn   = var.websocket_certificate_arn
  ssl_policy        = var.websocket_certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.websockets.arn
  }
}
