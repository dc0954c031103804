output "api_cname" {
  description = "What api_domain has to be a CNAME of."
  value       = aws_cloudfront_distribution.api.domain_name
}

output "origin_cname" {
  description = "What origin_domain has to be a CNAME of."
  value       = aws_lb.api.dns_name
}

output "players_cname" {
  description = "What the name in the players' certificate has to be a CNAME of: the gateways, by UDP and by WebSocket."
  value       = aws_lb.players.dns_name
}

output "sockets_cname" {
  description = "What the name of Nakama's own WebSockets has to be a CNAME of."
  value       = aws_lb.sockets.dns_name
}

output "cognito_pool" {
  description = "The user pool, for the game's client and for the module of Nakama's that verifies its tokens."
  value       = aws_cognito_user_pool.players.id
}

output "cognito_client" {
  description = "The client id, for the game's client and for the module of Nakama's that verifies its tokens."
  value       = aws_cognito_user_pool_client.game.id
}
