# Nakama and the gateways on Fargate.
resource "aws_ecs_cluster" "main" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "main" {
  name              = "/${var.name}"
  retention_in_days = 30
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What starts a task fetches its image and secrets; what runs in it has no role, and may do nothing.
resource "aws_iam_role" "nakama" {
  name               = "${var.name}-nakama-start"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role" "gateway" {
  name               = "${var.name}-gateway-start"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "nakama" {
  role       = aws_iam_role.nakama.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy_attachment" "gateway" {
  role       = aws_iam_role.gateway.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "nakama_secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.database_secret_arn, var.nakama_secrets_arn]
  }
}

data "aws_iam_policy_document" "gateway_secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.gateway_secrets_arn]
  }
}

resource "aws_iam_role_policy" "nakama_secrets" {
  name   = "secrets"
  role   = aws_iam_role.nakama.id
  policy = data.aws_iam_policy_document.nakama_secrets.json
}

resource "aws_iam_role_policy" "gateway_secrets" {
  name   = "secrets"
  role   = aws_iam_role.gateway.id
  policy = data.aws_iam_policy_document.gateway_secrets.json
}

locals {
  # How long a session of Nakama is good for, in seconds, for Nakama and for the gateways.
  session_life = 7200
  nakama_keys  = ["server_key", "session_key", "refresh_key", "http_key", "console_password"]
  # The private network's name of Nakama, for the gateways.
  nakama_name = "nakama.${var.name}.internal"
  log = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.main.name
      awslogs-region        = var.region
      awslogs-stream-prefix = "ecs"
    }
  }
}

resource "aws_ecs_task_definition" "nakama" {
  family                   = "${var.name}-nakama"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = aws_iam_role.nakama.arn
  container_definitions = jsonencode([{
    name      = "nakama"
    image     = var.nakama_image
    essential = true
    # -x is left out: it would print the database's password. A player's own WebSocket and that of a
    # gateway are two sockets: with single_socket one would end the other.
    entryPoint = ["/bin/sh", "-ec"]
    command = [join(" ", [
      "/nakama/nakama migrate up --database.address \"$DATABASE\" &&",
      "exec /nakama/nakama --name nakama1 --database.address \"$DATABASE\"",
      "--socket.server_key \"$SERVER_KEY\" --session.encryption_key \"$SESSION_KEY\"",
      "--session.refresh_encryption_key \"$REFRESH_KEY\" --runtime.http_key \"$HTTP_KEY\"",
      "--console.password \"$CONSOLE_PASSWORD\"",
      "--session.token_expiry_sec ${local.session_life} --session.single_socket false --shutdown_grace_sec 60",
    ])]
    portMappings = [{ containerPort = local.ports.nakama, protocol = "tcp" }]
    secrets = concat(
      [{ name = "DATABASE", valueFrom = var.database_secret_arn }],
      [for k in local.nakama_keys : { name = upper(k), valueFrom = "${var.nakama_secrets_arn}:${k}::" }],
    )
    stopTimeout      = 90
    logConfiguration = local.log
  }])
}

resource "aws_ecs_task_definition" "gateway" {
  family                   = "${var.name}-gateway"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = aws_iam_role.gateway.arn
  volume {
    name = "secrets"
  }
  container_definitions = jsonencode([
    {
      # The gateway's image has no shell, and takes files that nobody else may read. A volume of Fargate
      # belongs to root, so this container does, too, and ends before the gateway begins.
      name      = "secrets"
      image     = var.tools_image
      essential = false
      user      = "0:0"
      entryPoint = ["/bin/sh", "-ec", join("; ", [
        "umask 077",
        "cd /etc/sallyport",
        "printf '%s\\n' \"$CERTIFICATE\" > cert.pem",
        "printf '%s\\n' \"$KEY\" > key.pem",
        "printf '%s\\n' \"$FLEET_KEYS\" > fleet.keys",
        "chown 65532:65532 cert.pem key.pem fleet.keys",
      ])]
      secrets          = [for k in ["certificate", "key", "fleet_keys"] : { name = upper(k), valueFrom = "${var.gateway_secrets_arn}:${k}::" }]
      mountPoints      = [{ sourceVolume = "secrets", containerPath = "/etc/sallyport", readOnly = false }]
      logConfiguration = local.log
    },
    {
      name      = "gateway"
      image     = var.gateway_image
      essential = true
      user      = "65532:65532"
      command = concat([
        "-listen=:${local.ports.players}",
        "-status=:${local.ports.status}",
        "-websocket=:${local.ports.websocket}",
        "-cert=/etc/sallyport/cert.pem",
        "-key=/etc/sallyport/key.pem",
        "-fleet-keys=/etc/sallyport/fleet.keys",
        "-nakama=http://${local.nakama_name}:${local.ports.nakama}",
        "-session-life=${local.session_life}s",
      ], var.gateway_arguments)
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      # Players show the gateway the session that Nakama gave them at the sign-in.
      secrets = [{ name = "SALLYPORT_NAKAMA_SESSION_KEY", valueFrom = "${var.gateway_secrets_arn}:session_key::" }]
      portMappings = [
        { containerPort = local.ports.players, protocol = "udp" },
        { containerPort = local.ports.websocket, protocol = "tcp" },
        { containerPort = local.ports.status, protocol = "tcp" },
      ]
      dependsOn        = [{ containerName = "secrets", condition = "SUCCESS" }]
      mountPoints      = [{ sourceVolume = "secrets", containerPath = "/etc/sallyport", readOnly = true }]
      stopTimeout      = 60
      logConfiguration = local.log
    },
  ])
}

resource "aws_service_discovery_private_dns_namespace" "internal" {
  name = "${var.name}.internal"
  vpc  = aws_vpc.main.id
}

resource "aws_service_discovery_service" "nakama" {
  name = "nakama"
  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.internal.id
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_service" "nakama" {
  name             = "nakama"
  cluster          = aws_ecs_cluster.main.id
  task_definition  = aws_ecs_task_definition.nakama.arn
  desired_count    = var.nakama_tasks
  launch_type      = "FARGATE"
  platform_version = "1.4.0"
  # One node: the old one goes before the new one comes.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  health_check_grace_period_seconds  = 120
  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.nakama.id]
    assign_public_ip = false
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "nakama"
    container_port   = local.ports.nakama
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.websockets.arn
    container_name   = "nakama"
    container_port   = local.ports.nakama
  }
  service_registries {
    registry_arn = aws_service_discovery_service.nakama.arn
  }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  depends_on = [aws_lb_listener.api, aws_lb_listener.websockets]
}

resource "aws_ecs_service" "gateway" {
  name                               = "gateway"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.gateway.arn
  desired_count                      = var.gateway_tasks
  launch_type                        = "FARGATE"
  platform_version                   = "1.4.0"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 30
  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.gateway.id]
    assign_public_ip = false
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.udp.arn
    container_name   = "gateway"
    container_port   = local.ports.players
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.carrier.arn
    container_name   = "gateway"
    container_port   = local.ports.websocket
  }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  depends_on = [aws_lb_listener.udp, aws_lb_listener.carrier]
}
