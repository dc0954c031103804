# The players' way: UDP to the gateways, and WebSockets to Nakama. The load balancer changes no address
# of a player: the library counts strangers by their network, and would take all for one otherwise.
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

  # A gateway that ends has told its players where to go on; flows that stay are cut.
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
  load_balancer_arn = aws_lb.players.arn
  protocol          = var.websocket_certificate_arn == null ? "TCP" : "TLS"
  port              = 443
  certificate_arn   = var.websocket_certificate_arn
  ssl_policy        = var.websocket_certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.websockets.arn
  }
}
